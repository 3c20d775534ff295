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
}
