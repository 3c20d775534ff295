import Configurations
import Engine
import Platform
import StageKit
import TestSupport
import Testing

/// The store on disk as the runner sees it.
@Suite struct StoreActionsTests {
  private static func store(_ files: MemoryFileSystem = MemoryFileSystem()) throws -> (StoreActions, MemoryFileSystem) {
    try files.createFolders("/state")
    return (StoreActions(Store(files, state: "/state"), files), files)
  }

  private static func part(_ bytes: [UInt8], _ digest: Digest) -> ArtifactPart {
    ArtifactPart(name: "numbers.txt", digest: digest, size: bytes.count)
  }

  private static let key = Digest(of: "key")

  @Test func objectsAreKeptAndMissed() throws {
    let (store, files) = try Self.store()
    let bytes = Array("an object".utf8)
    let part = Self.part(bytes, try store.put(bytes))
    #expect(try store.contains(part) && store.bytes(part) == bytes)
    let another = Self.part(bytes, Digest(of: "another"))
    #expect(try !store.contains(another))
    #expect(throws: StoreError.missing(another.digest)) { try store.bytes(another) }
    #expect(try !store.contains(ArtifactPart(name: "x", digest: part.digest, size: 3)), "of another size")
    // Damage is found by reading, and from then on the object is absent.
    files.drop(store.store.path(of: part.digest), "an objecT")
    #expect(try store.contains(part))
    #expect(throws: StoreError.missing(part.digest)) { try store.bytes(part) }
    #expect(try !store.contains(part))
    #expect(try store.put(bytes) == part.digest)
    #expect(try store.bytes(part) == bytes)
  }

  @Test func actionsAreRecordedAndForgotten() throws {
    let (store, files) = try Self.store()
    #expect(try store.action(Self.key) == nil)
    var record = ActionRecord(subject: "run7/OUTCAR")
    record.isComplete = false
    record.diagnostics = [
      Diagnostic(.warning, code: "truncated", place: .init(file: "run7/OUTCAR", line: 4), cause: "it ends.")
    ]
    let bytes = Array("1\n".utf8)
    let artifact = Artifact(kind: .numbers, parts: [Self.part(bytes, try store.put(bytes))])
    record.outputs = [ActionRecord.Output(source: Digest(of: "source"), member: "a", artifacts: [artifact])]
    try store.record(record, for: Self.key)
    #expect(try store.action(Self.key) == record)
    // Another process reads the same.
    #expect(try Self.store(files).0.action(Self.key) == record)
    try store.forget(Self.key)
    #expect(try store.action(Self.key) == nil)
    try store.forget(Self.key)
  }

  @Test func memosAreKept() throws {
    let (store, files) = try Self.store()
    #expect(try store.memo(Self.key) == nil)
    for value in [Array("value".utf8), [], [UInt8](repeating: 7, count: 100_000)] {
      let key = Digest(of: "memo \(value.count)")
      try store.keep(value, for: key)
      try store.keep(value, for: key)
      #expect(try store.memo(key) == value)
      #expect(try Self.store(files).0.memo(key) == value)
      #expect(try store.action(key) == nil, "a memo is no action")
    }
  }

  /// Whatever happens to the files of a memo, it is given whole or not at all.
  @Test func aDamagedMemoIsAbsent() throws {
    let value = Array("a value of some length, to be damaged".utf8)
    let (_, pristine) = try Self.store()
    let before = Set(pristine.tree("/state").map(\.path))
    let (first, written) = try Self.store()
    try first.keep(value, for: Self.key)
    let own = written.tree("/state").filter { !before.contains($0.path) && $0.content != nil }
    #expect(!own.isEmpty)
    for file in own {
      let content = file.content!
      for cut in stride(from: 0, to: content.count, by: 5) {
        let (store, files) = try Self.store()
        try store.keep(value, for: Self.key)
        files.drop(file.path, Array(content[..<cut]))
        #expect(try store.memo(Self.key) == nil, "\(file.path) cut at \(cut)")
        var flipped = content
        flipped[cut] ^= 4
        let (other, otherFiles) = try Self.store()
        try other.keep(value, for: Self.key)
        otherFiles.drop(file.path, flipped)
        #expect([nil, value].contains(try other.memo(Self.key)), "\(file.path) flipped at \(cut)")
        // It can be kept again.
        try other.keep(value, for: Self.key)
        #expect(try other.memo(Self.key) == value, "\(file.path) flipped at \(cut)")
      }
    }
  }

  @Test func notesAreReplacedAndChecked() throws {
    let (store, files) = try Self.store()
    #expect(try store.note("last-keys") == nil)
    try store.setNote("last-keys", Array("first".utf8))
    try store.setNote("last-keys", Array("second".utf8))
    #expect(try store.note("last-keys") == Array("second".utf8))
    #expect(try store.note("other") == nil)
    let file = try #require(files.tree("/state").first { Path.name($0.path) == "last-keys" })
    for cut in 0..<file.content!.count {
      files.drop(file.path, Array(file.content![..<cut]))
      #expect(try store.note("last-keys") == nil, "cut at \(cut)")
    }
  }

  /// A failure of the disk is an error, never "there is nothing".
  @Test func aSickDiskIsNotAnEmptyStore() throws {
    let (store, files) = try Self.store()
    try store.keep([1, 2, 3], for: Self.key)
    let faulty = FaultyFileSystem(files, call: 1, .error(5))
    #expect(throws: (any Error).self) { try StoreActions(Store(faulty, state: "/state"), faulty).memo(Self.key) }
    let second = FaultyFileSystem(files, call: 1, .error(5))
    #expect(throws: (any Error).self) { try StoreActions(Store(second, state: "/state"), second).note("last-keys") }
  }

  // MARK: The index of actions

  /// A hundred recorded actions of one object each, long ago.
  private struct Indexed {
    let files = MemoryFileSystem(clock: ManualClock())
    var actions: [(key: Digest, record: ActionRecord)] = []
    var store: StoreActions { StoreActions(Store(files, state: "/state"), files) }
    var keys: [Digest] { actions.map(\.key) }

    init() throws {
      try files.createFolders("/state")
      for number in 0..<100 { try add(number) }
      rest()
    }

    mutating func add(_ number: Int) throws {
      let bytes = Array("object \(number)".utf8)
      let part = StoreActionsTests.part(bytes, try store.put(bytes))
      var record = ActionRecord(subject: "run\(number)/OUTCAR")
      record.isComplete = number % 3 > 0
      if number % 5 == 0 { record.diagnostics = [Diagnostic(.note, code: "odd", cause: "number \(number).")] }
      if number % 7 == 0 {
        record.quarantine = Diagnostic(.error, code: "bad", place: .init(file: "x", line: 3), cause: "bad.")
      }
      record.outputs = [
        .init(
          source: number % 2 == 0 ? Digest(of: "source \(number)") : nil,
          member: number % 4 == 0 ? "é\(number)" : nil, artifacts: [Artifact(kind: .numbers, parts: [part])])
      ]
      let key = Digest(of: "action \(number)")
      try store.record(record, for: key)
      actions.append((key, record))
    }

    /// Time passes, so that a later change of a folder has another time.
    func rest() { files.clock.advance(by: .seconds(60)) }

    func recalled(_ store: StoreActions) throws -> [ActionRecord?] {
      try store.recall(keys, threads: 2).map(\.record)
    }
  }

  @Test func anIndexSaysWhatTheRecordsSay() throws {
    let world = try Indexed()
    let expected = world.actions.map { Optional($0.record) }
    #expect(try world.recalled(world.store) == expected)
    world.store.passEnded(world.actions)
    world.files.forgetTouches()
    let store = world.store
    #expect(try world.recalled(store) == expected)
    #expect(world.files.filesRead.allSatisfy { $0 == "/state/index/actions" }, "one file is read")
    #expect(try world.recalled(store) == expected)
    #expect(try store.recall([Digest(of: "another")], threads: 1)[0].record == nil)
  }

  @Test func anIndexGrowsByWhatIsNew() throws {
    var world = try Indexed()
    world.store.passEnded(world.actions)
    let before = try world.files.readFile("/state/index/actions")
    try world.add(100)
    world.rest()
    let store = world.store
    _ = try world.recalled(store)
    store.passEnded(world.actions)
    let after = try world.files.readFile("/state/index/actions")
    #expect(after.starts(with: before) && after.count < before.count * 3 / 2)
    world.files.forgetTouches()
    #expect(try world.recalled(world.store) == world.actions.map(\.record))
    #expect(world.files.filesRead.allSatisfy { $0 == "/state/index/actions" })
    // Of actions that are no more it is cleaned at some time.
    world.actions.removeLast(90)
    world.store.passEnded(world.actions)
    for number in 200..<320 { try world.add(number) }
    world.store.passEnded(world.actions)
    world.rest()
    world.actions.removeFirst(120)
    for number in 400..<410 { try world.add(number) }
    world.store.passEnded(world.actions)
    #expect(try world.files.readFile("/state/index/actions").count < before.count)
    #expect(try world.recalled(world.store) == world.actions.map(\.record))
  }

  /// The index only saves work: what is lost, forgotten or damaged beside it is found.
  @Test func anIndexHidesNothing() throws {
    var world = try Indexed()
    world.store.passEnded(world.actions)
    let part = world.actions[3].record.parts[0]
    try world.files.removeFile(world.store.store.path(of: part.digest))
    var found = try world.store.recall(world.keys, threads: 1)
    #expect(found[3].record == nil && found[3].lost == part)
    #expect(found.count { $0.record == nil } == 1)
    try world.store.put(Array("object 3".utf8))

    // A record that another program removed.
    let name = world.keys[8].description
    let path = "/state/actions/\(name.prefix(2))/\(name)"
    let record = try world.files.readFile(path)
    try world.files.removeFile(path)
    found = try world.store.recall(world.keys, threads: 1)
    #expect(found[8].record == nil && found[8].lost == nil && found.count { $0.record == nil } == 1)
    world.files.drop(path, record)

    // Forgotten on purpose.
    try world.store.forget(world.keys[9])
    found = try world.store.recall(world.keys, threads: 1)
    #expect(found[9].record == nil && found.count { $0.record == nil } == 1)
    try world.store.record(world.actions[9].record, for: world.keys[9])

    // Within a second the clock may not tell.
    world.store.passEnded(world.actions)
    try world.files.removeFile(world.store.store.path(of: part.digest))
    #expect(try world.store.recall(world.keys, threads: 1)[3].lost == part)
    try world.store.put(Array("object 3".utf8))
    world.rest()

    let expected = world.actions.map { Optional($0.record) }
    world.store.passEnded(world.actions)
    let whole = try world.files.readFile("/state/index/actions")
    for cut in stride(from: 0, to: whole.count, by: 997) {
      world.files.drop("/state/index/actions", Array(whole[..<cut]))
      #expect(try world.recalled(world.store) == expected, "cut at \(cut)")
      var flipped = whole
      flipped[cut] ^= 16
      world.files.drop("/state/index/actions", flipped)
      let store = world.store
      #expect(try world.recalled(store) == expected, "flipped at \(cut)")
      store.passEnded(world.actions)
      #expect(try world.recalled(world.store) == expected, "mended after \(cut)")
    }
  }

  /// Many equal outputs are written once.
  @Test func foldsRecordsAreShort() throws {
    let (store, files) = try Self.store()
    let bytes = Array("all".utf8)
    let all = Artifact(kind: .numbers, parts: [Self.part(bytes, try store.put(bytes))])
    let others = Array("some".utf8)
    let some = Artifact(kind: .numbers, parts: [Self.part(others, try store.put(others))])
    var record = ActionRecord(subject: "all sources")
    record.outputs = [.init(artifacts: [some])]
    for source in (0..<500).map({ Digest(of: "source \($0)") }).sorted() {
      record.outputs.append(.init(source: source, artifacts: [source.bit(9) && source.bit(10) ? some : all]))
    }
    try store.record(record, for: Self.key)
    #expect(try store.action(Self.key) == record)
    let size = files.tree("/state/actions").reduce(0) { $0 + ($1.content?.count ?? 0) }
    #expect(size < 500 * 64 + 2000)
    record.outputs.reverse()
    try store.record(record, for: Digest(of: "unordered"))
    #expect(try store.action(Digest(of: "unordered")) == record)
  }
}
