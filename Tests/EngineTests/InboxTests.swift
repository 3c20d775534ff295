import Configurations
import Engine
import Foundation
import Platform
import TestSupport
import Testing

@Suite struct InboxTests {
  static func inbox(_ files: any FileSystem) -> Inbox { Inbox(files, folder: "/inbox") }

  static func units(_ paths: [String]) throws -> [String] {
    let files = MemoryFileSystem()
    files.dropFolder("/inbox")
    for path in paths { files.drop("/inbox/" + path, path) }
    return try inbox(files).scan().units.map { unit in
      unit.kind == .file
        ? unit.path
        : unit.path + ": " + unit.files.map { Path.name($0.path) }.joined(separator: " ")
    }
  }

  @Test func filesAndRunFoldersAreUnits() throws {
    #expect(
      try Self.units([
        "vasprun.xml", "OUTCAR", "set/a.extxyz", "set/b.xyz.gz",
        "W/relax/OUTCAR", "W/relax/vasprun.xml.gz", "W/relax/INCAR", "W/relax/POTCAR",
        "W/relax/WAVECAR", "W/relax/slurm-1.out", "W/relax/md.tar.gz", "W/relax/image/OSZICAR",
        "multi/OUTCAR.relax1.gz", "multi/OUTCAR.relax2.gz", "multi/vasprun.xml.relax1.gz",
        "tars/vaspruns.tar.lzma", "tars/OUTCARS.tgz",
      ]) == [
        "OUTCAR", "W/relax: INCAR OUTCAR vasprun.xml.gz", "W/relax/image: OSZICAR",
        "W/relax/md.tar.gz",
        "multi: OUTCAR.relax1.gz OUTCAR.relax2.gz vasprun.xml.relax1.gz", "set/a.extxyz",
        "set/b.xyz.gz", "tars/OUTCARS.tgz", "tars/vaspruns.tar.lzma", "vasprun.xml",
      ])
  }

  @Test func aCollectionOfRunsIsNotOneRun() throws {
    let many = (1...9).map { "set/vasprun_\($0).xml" }
    #expect(try Self.units(many) == many.sorted())
    #expect(try Self.units(Array(many.prefix(8))).count == 1)
    #expect(
      try Self.units(["x/001.OUTCAR", "x/002.OUTCAR", "x/readme"])
        == ["x/001.OUTCAR", "x/002.OUTCAR", "x/readme"])
    // The same output, plain and compressed, counts once.
    let both = (1...5).flatMap { ["r/OUTCAR.\($0)", "r/OUTCAR.\($0).gz"] }
    #expect(try Self.units(both).count == 1)
  }

  @Test func ignoresWhatIsNotData() throws {
    #expect(
      try Self.units([
        ".hidden", ".git/config", "a~", "b.part", "c.tmp", "d.filepart", ".nfs000123",
        ".fuse_hidden01", ".~tmp~/OUTCAR", "tmp/OUTCAR", "run/tmp/x.xyz", "run/.OUTCAR.swp",
        "B.PART", "real.xyz", "x.done",
      ]) == ["real.xyz", "run/tmp/x.xyz"])
  }

  @Test func groupsByParentFolder() throws {
    let files = MemoryFileSystem()
    for path in ["top.xyz", "bulk/a.xyz", "bulk/run/OUTCAR", "run/OUTCAR", "a/b/c.xyz"] {
      files.drop("/inbox/" + path, "")
    }
    let groups = try Self.inbox(files).scan().units.map { "\($0.path): \($0.group ?? "-")" }
    #expect(
      groups == [
        "a/b/c.xyz: a/b", "bulk/a.xyz: bulk", "bulk/run: bulk", "run: -", "top.xyz: -",
      ])
  }

  @Test func linksAreNeverFollowed() throws {
    let files = MemoryFileSystem()
    files.drop("/secret", "s")
    files.drop("/inbox/real/data.xyz", "d")
    for (name, target) in [
      ("absolute", "/secret"), ("relative", "../secret"), ("real/up", "../../secret"),
      ("inside", "real/data.xyz"), ("real/in", "../real/data.xyz"),
      ("full", "/inbox/real/data.xyz"),
      ("folder", "real"), ("self", "../inbox"), ("neighbour", "/inbox2/x"),
    ] { try files.createSymbolicLink("/inbox/" + name, to: target) }
    let scan = try Self.inbox(files).scan()
    #expect(scan.units.map(\.path) == ["real/data.xyz"])
    #expect(
      scan.notes.filter { $0.code == "link-refused" }.map(\.place.file)
        == ["absolute", "neighbour", "real/up", "relative", "self"])
    #expect(
      scan.notes.filter { $0.code == "link-inside" }.map(\.place.file)
        == ["folder", "full", "inside", "real/in"])
  }

  @Test func refusesPipesAndAmbiguousNames() throws {
    let files = MemoryFileSystem()
    files.dropSpecial("/inbox/pipe")
    #expect(try Self.inbox(files).scan().notes.map(\.code) == ["not-a-regular-file"])
    // Two spellings of one name, on a real disk (a Swift dictionary cannot hold both).
    let scratch = try ScratchFolder()
    try scratch.shell(
      "printf x > \"$(printf 'caf\\303\\251')\"; printf y > \"$(printf 'cafe\\314\\201')\"")
    try scratch.shell("printf x > \"$(printf 'bad\\377')\"")
    let scan = try Inbox(PosixFileSystem(), folder: scratch.path).scan()
    #expect(scan.units.count == 1)
    #expect(scan.notes.map(\.code) == ["name-unusable", "name-unusable"])
  }

  @Test func markersCanBeAskedFor() throws {
    let files = MemoryFileSystem()
    for path in ["a.xyz", "b.xyz", "b.xyz.done", "r/OUTCAR", "s/OUTCAR", "s/.done"] {
      files.drop("/inbox/" + path, "")
    }
    let inbox = Inbox(files, folder: "/inbox", needsMarker: true)
    #expect(try inbox.scan().units.map(\.path) == ["b.xyz", "s"])
  }

  @Test func readsOnlyWhatChanged() throws {
    let files = MemoryFileSystem()
    for number in 0..<500 {
      files.drop("/inbox/set\(number % 7)/run\(number)/OUTCAR", "run \(number)")
    }
    let inbox = Self.inbox(files)
    var registry = UnitRegistry()
    func ingest() throws -> Int {
      let difference = try registry.difference(inbox.scan(), inbox: "/inbox")
      for unit in difference.fresh {
        guard case .read(let record) = try inbox.digest(unit) else { continue }
        registry.apply(.learned(record))
      }
      for record in difference.removed { registry.apply(.forgotten(path: record.path)) }
      return difference.fresh.count
    }
    #expect(try ingest() == 500)
    files.forgetTouches()
    #expect(try ingest() == 0)
    #expect(files.filesRead.isEmpty)
    files.drop("/inbox/set0/new/OUTCAR", "new")
    #expect(try ingest() == 1)
    #expect(files.filesRead == ["/inbox/set0/new/OUTCAR"])
    // The registry is a fold over its changes.
    #expect(UnitRegistry(registry.changes) == registry)
    let coded = try JSONEncoder().encode(registry.changes)
    #expect(UnitRegistry(try JSONDecoder().decode([RegistryChange].self, from: coded)) == registry)
  }

  @Test func contentIsTruth() throws {
    let files = MemoryFileSystem()
    files.drop("/inbox/a/OUTCAR", "same")
    files.drop("/inbox/a/vasprun.xml", "xml")
    let inbox = Self.inbox(files)
    func record() throws -> UnitRecord? {
      guard case .read(let record) = try inbox.digest(try inbox.scan().units[0]) else { return nil }
      return record
    }
    let first = try #require(try record())
    try files.touch("/inbox/a/OUTCAR")
    let touched = try #require(try record())
    #expect(touched.digest == first.digest && touched != first)
    let present = try inbox.scan().units[0]
    #expect(!first.matches(present) && touched.matches(present))
    // The same folder elsewhere is the same content.
    try files.rename("/inbox/a", to: "/inbox/b")
    #expect(try record()?.digest == first.digest)
    // Other bytes, other names, or a file more are other content.
    var digests: Set<Digest> = [first.digest]
    for (name, text) in [("OUTCAR", "samf"), ("OSZICAR", ""), ("CONTCAR", "x")] {
      files.drop("/inbox/b/" + name, text)
      #expect(digests.insert(try #require(try record()).digest).inserted)
    }
  }

  @Test func hashesExactlyTheBytesThatWereParsed() throws {
    let files = MemoryFileSystem()
    let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    files.drop("/inbox/OUTCAR", bytes)
    let inbox = Self.inbox(files)
    let unit = try inbox.scan().units[0]
    // The parser stops early; the digest is that of the whole file all the same.
    let reading = try inbox.read(unit) { file, source in
      #expect(file.path == "OUTCAR")
      let head = try source.readAll(limit: 100)
      #expect(head.count < bytes.count && bytes.starts(with: head))
    }
    guard case .read(let record) = reading else {
      Issue.record("\(reading)")
      return
    }
    #expect(record.files[0].digest == Digest(of: bytes))
  }

  @Test func aFileThatChangesWhileItIsReadIsNotTaken() throws {
    for change in 0..<5 {
      let files = MemoryFileSystem()
      files.drop("/inbox/run/OUTCAR", "0123456789")
      files.drop("/inbox/run/vasprun.xml", "xml")
      let inbox = Self.inbox(files)
      let unit = try inbox.scan().units[0]
      var count = 0
      let reading = try inbox.read(unit) { _, _ in
        count += 1
        guard count == 1 else { return }
        switch change {
        case 0: files.drop("/inbox/run/OUTCAR", "0123456789abc")
        case 1: try files.removeFile("/inbox/run/OUTCAR")
        case 2: try files.rename("/inbox/run/vasprun.xml", to: "/inbox/run/OUTCAR")
        case 3: try files.removeTree("/inbox/run")
        default: try files.touch("/inbox/run/OUTCAR")
        }
      }
      #expect(reading == .changed, "change \(change)")
    }
    // Also before it is opened.
    let files = MemoryFileSystem()
    files.drop("/inbox/x", "1")
    let unit = try Self.inbox(files).scan().units[0]
    files.drop("/inbox/x", "2")
    #expect(try Self.inbox(files).digest(unit) == .changed)
    try files.removeFile("/inbox/x")
    try files.createSymbolicLink("/inbox/x", to: "/secret")
    #expect(try Self.inbox(files).digest(unit) == .changed)
  }

  @Test func aVanishedOrUnmountedInboxIsAnError() throws {
    let files = MemoryFileSystem()
    files.drop("/inbox/a.xyz", "a")
    let inbox = Self.inbox(files)
    let scan = try inbox.scan()
    var registry = UnitRegistry([.inbox(inode: scan.rootInode)])
    guard case .read(let record) = try inbox.digest(scan.units[0]) else { return }
    registry.apply(.learned(record))
    // Emptied by hand: the same folder.
    try files.removeFile("/inbox/a.xyz")
    #expect(try registry.difference(inbox.scan(), inbox: "/inbox").removed == [record])
    // Unmounted: another, empty folder.
    try files.rename("/inbox", to: "/away")
    #expect(throws: InboxError.vanished(path: "/inbox")) { try inbox.scan() }
    files.dropFolder("/inbox")
    #expect(throws: InboxError.unmounted(path: "/inbox", known: 1)) {
      try registry.difference(inbox.scan(), inbox: "/inbox")
    }
    #expect(
      try registry.difference(inbox.scan(), inbox: "/inbox", acceptsNewFolder: true).removed
        == [record])
    // Restored from a backup: another folder, the same things in it.
    files.drop("/inbox/a.xyz", "a")
    #expect(try registry.difference(inbox.scan(), inbox: "/inbox").removed.isEmpty)
    files.drop("/file", "")
    #expect(throws: InboxError.vanished(path: "/file")) { try Inbox(files, folder: "/file").scan() }
  }

  @Test func everyFailingCallIsAnErrorOrSaidAloudButNeverARemoval() throws {
    func prepared() -> MemoryFileSystem {
      let files = MemoryFileSystem()
      for path in ["a.xyz", "set/b.xyz", "set/run/OUTCAR", "other/c.xyz"] {
        files.drop("/inbox/" + path, path)
      }
      return files
    }
    let sound = prepared()
    let inbox = Self.inbox(sound)
    let scan = try inbox.scan()
    var registry = UnitRegistry([.inbox(inode: scan.rootInode)])
    for unit in scan.units {
      if case .read(let record) = try inbox.digest(unit) { registry.apply(.learned(record)) }
    }
    #expect(registry.records.count == 4)
    let counting = FaultyFileSystem(prepared(), call: 0, .crash)
    _ = try Self.inbox(counting).scan()
    for call in 1...counting.calls {
      for number: Int32 in [5, 28, 13, 116, 24] {
        let faulty = FaultyFileSystem(prepared(), call: call, .error(number))
        do {
          let scan = try Self.inbox(faulty).scan()
          #expect(number == 13 && scan.notes.map(\.code) == ["unreadable-folder"])
          let difference = try registry.difference(scan, inbox: "/inbox")
          #expect(difference.removed.isEmpty, "call \(call): what cannot be listed is not gone")
        } catch {
          guard case InboxError.fileSystem(let inner) = error else {
            Issue.record("call \(call), error \(number): \(error)")
            continue
          }
          #expect(inner.errorNumber == number)
        }
      }
    }
  }

  @Test func anErrorWhileReadingIsNotAChange() throws {
    let files = MemoryFileSystem()
    files.drop("/inbox/run/OUTCAR", "1")
    files.drop("/inbox/run/OSZICAR", "2")
    let unit = try Self.inbox(files).scan().units[0]
    let counting = FaultyFileSystem(files, call: 0, .crash)
    _ = try Self.inbox(counting).digest(unit)
    for call in 1...counting.calls {
      for number: Int32 in [5, 13, 116] {
        let faulty = FaultyFileSystem(files, call: call, .error(number))
        let error = #expect(throws: InboxError.self, "call \(call)") {
          try Self.inbox(faulty).digest(unit)
        }
        guard case .fileSystem(let inner)? = error else { continue }
        #expect(inner.errorNumber == number)
      }
    }
  }
}

@Suite struct SettleTests {
  static func unit(_ path: String, size: Int = 1, changed: Int64 = 0) -> InboxUnit {
    let time = Timestamp(seconds: changed)
    let signature = FileSignature(size: size, modified: time, changed: time, inode: 1)
    return InboxUnit(path: path, kind: .file, files: [.init(path: path, signature: signature)])
  }

  @Test func settlesAfterTwoEqualScansFarEnoughApart() {
    var tracker = SettleTracker(settle: .seconds(10))
    let a = Self.unit("a")
    #expect(tracker.observe([a], at: .seconds(100)).settled.isEmpty)
    #expect(tracker.nextDue(after: .seconds(100)) == .seconds(110))
    #expect(tracker.observe([a], at: .seconds(109)).settled.isEmpty)
    #expect(tracker.observe([a], at: .seconds(110)).settled == [a])
    let grown = Self.unit("a", size: 2)
    #expect(tracker.observe([grown], at: .seconds(115)).unsettled == [grown])
    #expect(tracker.observe([], at: .seconds(120)).settled.isEmpty)
    // Gone and back again: everything from the start.
    #expect(tracker.observe([grown], at: .seconds(130)).settled.isEmpty)
    #expect(tracker.observe([grown], at: .seconds(140)).settled == [grown])
  }

  @Test func slowWritersNeverSettleBelowTheLimit() {
    // Grows every `pause` seconds until second 100; scanned every second.
    for pause in [1, 5, 9] {
      var tracker = SettleTracker(settle: .seconds(10))
      for second in 0..<100 {
        let unit = Self.unit("a", size: second / pause)
        #expect(tracker.observe([unit], at: .seconds(second)).settled.isEmpty, "pause \(pause)")
      }
    }
  }

  @Test func onePassGoesByTheChangeTime() {
    let now = Timestamp(seconds: 1000)
    func isSettled(_ changed: Int64) -> Bool {
      let unit = Self.unit("a", changed: changed)
      return SettleTracker.settledByAge([unit], now: now, settle: .seconds(10)).settled == [unit]
    }
    #expect(isSettled(990) && isSettled(0) && isSettled(-1_000_000))
    #expect(!isSettled(991) && !isSettled(1000) && !isSettled(1009))
    // Made before the clock was set back; whoever still writes would have made it "now".
    #expect(isSettled(4_000_000_000))
    let all = SettleTracker.settledByAge([Self.unit("a", changed: 1000)], now: now, settle: .zero)
    #expect(all.settled.count == 1)
  }

  @Test func aForgedModificationTimeSettlesNothing() throws {
    let clock = ManualClock(wallTime: Timestamp(seconds: 5000))
    let files = MemoryFileSystem(clock: clock)
    // tar x and rsync -t set old times on files that have just been written.
    for (name, seconds) in [("old", Int64(0)), ("far", 4_291_747_200)] {
      files.drop("/inbox/" + name, "x")
      files.setModified("/inbox/" + name, Timestamp(seconds: seconds))
    }
    let units = try Inbox(files, folder: "/inbox").scan().units
    func settled(_ now: Timestamp) -> Int {
      SettleTracker.settledByAge(units, now: now, settle: .seconds(10)).settled.count
    }
    #expect(units.count == 2)
    #expect(settled(Timestamp(seconds: 5005)) == 0)
    #expect(settled(Timestamp(seconds: 5011)) == 2)
  }
}
