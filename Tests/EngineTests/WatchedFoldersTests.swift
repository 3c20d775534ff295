import Configurations
import Engine
import Platform
import StageKit
import TestSupport
import Testing

/// Folders on a file system in memory, looked at through the journal.
@Suite struct WatchedFoldersTests {
  private struct World {
    let files = MemoryFileSystem()
    var stages = Toy.everything

    func plan() throws -> (PipelineFile, Plan) {
      let text = """
        { sluice: 1, project: 'toy', elements: ['W'], inbox: 'in', outbox: 'out', settle: 10,
          truncatedAfter: 60, threads: 1, stages: \(stages) }
        """
      let file = try PipelineFile(Array(text.utf8), path: "/project/toy.json5", stages: Toy.registry)
      return (file, try Planner(stages: Toy.registry).plan(file))
    }

    func open() throws -> (WatchedFolders, Plan, Journal) {
      let (file, plan) = try plan()
      try files.createFolders("/project/out/.sluice")
      let (journal, records) = try Journal.open(files, state: "/project/out/.sluice")
      return (
        WatchedFolders(files, journal: journal, records: records, pipeline: file, plan: plan), plan, journal
      )
    }

    func drop(_ name: String, _ text: String) { files.drop("/project/in/" + name, text) }

    func wait(_ seconds: Int = 30) { files.clock.advance(by: .seconds(seconds)) }
  }

  private static func read(_ unit: DropUnit) throws -> [String] {
    try unit.files.map { Toy.text(try $0.open().readAll()) }
  }

  @Test func unitsComeWithNamesGroupsAndBytes() throws {
    let world = World()
    world.drop("a.txt", "1\n")
    world.drop("deep/er/b.txt", "2\n")
    world.drop("run/OUTCAR", "3\n")
    world.drop("run/vasprun.xml", "4\n")
    world.drop("run/WAVECAR", "large\n")
    world.wait()
    let (folders, plan, _) = try world.open()
    let scan = try folders.scan(plan.stages[0])
    #expect(scan.units.map(\.name) == ["a.txt", "deep/er/b.txt", "run"])
    #expect(scan.units.map(\.group) == [nil, "deep/er", nil])
    #expect(try scan.units.map(Self.read) == [["1\n"], ["2\n"], ["3\n", "4\n"]])
    #expect(scan.units[2].files.map(\.name) == ["run/OUTCAR", "run/vasprun.xml"])
    #expect(scan.units.allSatisfy { !$0.acceptsIncomplete } && scan.unsettled.isEmpty)
    world.wait(60)
    #expect(try folders.scan(plan.stages[0]).units.allSatisfy(\.acceptsIncomplete))
  }

  @Test func whatIsKnownIsNotReadAgainByTheNextProcess() throws {
    let world = World()
    for k in 1...20 { world.drop("\(k).txt", "\(k)\n") }
    world.wait()
    let first = try world.open()
    let known = try first.0.scan(first.1.stages[0])
    world.drop("new.txt", "new\n")
    world.wait()
    world.files.forgetTouches()
    let second = try world.open()
    let scan = try second.0.scan(second.1.stages[0])
    #expect(world.files.filesRead.filter { $0.hasPrefix("/project/in") } == ["/project/in/new.txt"])
    #expect(scan.units.count == 21)
    let digests = Dictionary(uniqueKeysWithValues: scan.units.map { ($0.name, $0.digest) })
    #expect(known.units.allSatisfy { digests[$0.name] == $0.digest })
    #expect(second.0.registry(of: "/project/in").records.count == 21)
    #expect(second.0.registry(of: "/elsewhere").records.isEmpty)
  }

  @Test func aNameIsNoPartOfAFilesIdentity() throws {
    let world = World()
    world.drop("a.txt", "1\n")
    world.drop("deep/b.txt", "1\n")
    world.drop("c.txt", "2\n")
    world.drop("POSCAR", "1\n")
    world.drop("run/OUTCAR", "1\n")
    world.drop("other/OUTCAR.2", "1\n")
    world.wait()
    let (folders, plan, _) = try world.open()
    let units = try folders.scan(plan.stages[0]).units
    let digest = { (name: String) in units.first { $0.name == name }!.digest }
    #expect(digest("a.txt") == digest("deep/b.txt"))
    #expect(digest("a.txt") != digest("c.txt"))
    #expect(digest("a.txt") != digest("POSCAR"), "a name that hints at a format")
    #expect(digest("run") != digest("other"), "in a run folder names say which file is which")
  }

  /// A file that changes between the scan and its reading must not pass for what was scanned.
  @Test func changesWhileReadingAreNoticed() throws {
    let world = World()
    world.drop("a.txt", "1\n")
    world.drop("b.txt", "2\n")
    world.drop("c.txt", "3\n")
    world.wait()
    let (folders, plan, _) = try world.open()
    let units = try folders.scan(plan.stages[0]).units
    #expect(try units.allSatisfy { try !folders.hasChanged($0) })
    world.drop("a.txt", "9\n")
    try world.files.removeFile("/project/in/b.txt")
    #expect(throws: UnitChanged.self) { try Self.read(units[0]) }
    #expect(throws: UnitChanged.self) { try Self.read(units[1]) }
    #expect(try Self.read(units[2]) == ["3\n"])
    #expect(try folders.hasChanged(units[0]) && folders.hasChanged(units[1]) && !folders.hasChanged(units[2]))
    // Another file in its place is another unit, also where its bytes are the same.
    try world.files.removeFile("/project/in/c.txt")
    world.drop("c.txt", "3\n")
    #expect(try folders.hasChanged(units[2]))
  }

  @Test func aPoolInTheInboxBelongsToItsStageAlone() throws {
    var world = World()
    world.stages = """
      [{use:'numbers'},{use:'numbers',id:'others',pools:['in/pool','in/single.txt']},
       {use:'square',from:{'toy-numbers':'numbers'}}]
      """
    for name in ["a.txt", "pool/b.txt", "pool/deep/c.txt", "poolside.txt", "single.txt", "single.txt.txt"] {
      world.drop(name, name + "\n")
    }
    try world.files.createSymbolicLink("/project/in/pool/link", to: "/elsewhere")
    try world.files.createSymbolicLink("/project/in/link", to: "/elsewhere")
    world.wait()
    let (folders, plan, _) = try world.open()
    for _ in 1...2 {
      #expect(try folders.scan(plan.stages[0]).problems.map(\.place.file) == ["link"], "each is told once")
      #expect(try folders.scan(plan.stages[1]).problems.map(\.place.file) == ["link"])
      #expect(try folders.scan(plan.stages[0]).units.map(\.name) == ["a.txt", "poolside.txt", "single.txt.txt"])
      #expect(try folders.scan(plan.stages[1]).units.map(\.name) == ["b.txt", "deep/c.txt", "single.txt"])
    }
    // The next process knows all of them without reading.
    world.files.forgetTouches()
    let next = try world.open()
    #expect(try next.0.scan(plan.stages[0]).units.count == 3 && next.0.scan(plan.stages[1]).units.count == 3)
    #expect(!world.files.filesRead.contains { $0.hasPrefix("/project/in") })
  }

  @Test func whatIsGoneIsForgotten() throws {
    let world = World()
    world.drop("a.txt", "1\n")
    world.drop("b.txt", "2\n")
    world.wait()
    let first = try world.open()
    _ = try first.0.scan(first.1.stages[0])
    try world.files.removeFile("/project/in/b.txt")
    #expect(try first.0.scan(first.1.stages[0]).units.map(\.name) == ["a.txt"])
    let second = try world.open()
    #expect(second.0.registry(of: "/project/in").records.keys.sorted() == ["a.txt"])
  }

  /// The inbox is never written to.
  @Test func theInboxIsOnlyRead() throws {
    let world = World()
    world.drop("a.txt", "1\n")
    world.wait()
    let before = world.files.tree("/project/in").map(\.path)
    let (folders, plan, _) = try world.open()
    world.files.forgetTouches()
    _ = try folders.scan(plan.stages[0])
    let looks: Set<FileSystemError.Operation> = [.status, .list, .open, .read, .readSymbolicLink]
    #expect(world.files.touches.filter { $0.path.hasPrefix("/project/in") }.allSatisfy { looks.contains($0.operation) })
    #expect(world.files.tree("/project/in").map(\.path) == before)
  }

  /// An entry that a later version wrote is passed over, and the rest is still known.
  @Test func unknownEntriesOfTheJournalArePassedOver() throws {
    let world = World()
    world.drop("a.txt", "1\n")
    world.wait()
    let first = try world.open()
    _ = try first.0.scan(first.1.stages[0])
    try first.2.append(Array("{\"tomorrow\":{\"_0\":1}}\n".utf8))
    try first.2.append(Array("no JSON at all".utf8))
    world.drop("b.txt", "2\n")
    world.wait()
    _ = try first.0.scan(first.1.stages[0])
    let second = try world.open()
    #expect(second.0.registry(of: "/project/in").records.keys.sorted() == ["a.txt", "b.txt"])
  }

  @Test func attachmentsAreTheirContent() throws {
    let world = World()
    world.files.dropFolder("/project/in")
    world.files.drop("/project/template/INCAR", "ENCUT = 400\n")
    world.files.drop("/project/template/KPOINTS", "Gamma\n")
    world.files.drop("/project/template/deep/x", "not taken\n")
    world.files.drop("/project/POTCAR.W", "mine\n")
    let (folders, plan, _) = try world.open()
    let stage = plan.stages[0]
    let pointing = PlannedStage(
      id: stage.id, description: stage.description, work: stage.work, inputs: [], parameters: [],
      attachments: [("template", "/project/template"), ("POTCAR.W", "/project/POTCAR.W")])
    let found = try folders.attachments(pointing)
    #expect(found.map(\.path) == ["template", "template", "POTCAR.W"])
    #expect(found.map(\.name) == ["INCAR", "KPOINTS", "POTCAR.W"])
    #expect(found.map { Toy.text($0.bytes) } == ["ENCUT = 400\n", "Gamma\n", "mine\n"])
    try world.files.removeFile("/project/POTCAR.W")
    #expect(throws: FileSystemError.self) { try folders.attachments(pointing) }
  }
}
