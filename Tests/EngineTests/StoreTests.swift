import Configurations
import Engine
import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

/// Collects what was said aloud.
final class Messages: Sendable {
  private let all = Mutex<[Diagnostic]>([])

  var codes: [String] { all.withLock { $0.map(\.code) } }

  var report: @Sendable (Diagnostic) -> Void {
    { diagnostic in self.all.withLock { $0.append(diagnostic) } }
  }
}

@Suite struct StoreTests {
  @Test func keepsWhatItWasGiven() throws {
    let files = MemoryFileSystem()
    let store = Store(files, state: "/state")
    let bytes = Array("hello".utf8)
    let digest = try store.put(bytes)
    #expect(digest == Digest(of: bytes))
    #expect(try store.get(digest) == bytes)
    #expect(try store.require(digest) == bytes)
    #expect(try store.contains(digest) && store.check(digest))
    #expect(try store.size(of: digest) == 5)
    #expect(store.path(of: digest) == "/state/objects/\(digest.description.prefix(2))/\(digest)")
    let other = Digest(of: "other")
    #expect(try store.get(other) == nil)
    #expect(try !store.contains(other) && !store.check(other))
    #expect(throws: StoreError.missing(other)) { try store.require(other) }
  }

  @Test func storingAgainWritesNothing() throws {
    let files = MemoryFileSystem()
    let store = Store(files, state: "/state")
    try store.put([1, 2, 3])
    files.forgetTouches()
    try store.put([1, 2, 3])
    #expect(files.touches.map(\.operation) == [.status, .synchronizeFolder])
    #expect(try store.sizes() == .init(objects: 1, bytes: 3))
  }

  @Test func everyFlippedBitIsNoticedAndNeverUsed() throws {
    let bytes: [UInt8] = Array("forces".utf8)
    let digest = Digest(of: bytes)
    for bit in 0..<bytes.count * 8 {
      let files = MemoryFileSystem()
      let messages = Messages()
      let store = Store(files, state: "/state", report: messages.report)
      try store.put(bytes)
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      files.drop(store.path(of: digest), damaged)
      #expect(try store.get(digest) == nil)
      #expect(messages.codes == ["damaged-object"])
      #expect(try !store.contains(digest))
      #expect(try files.entries(of: "/state/damaged").count == 1)
      try store.put(bytes)
      #expect(try store.get(digest) == bytes)
    }
  }

  @Test func aTruncatedObjectIsReplacedOnTheNextPut() throws {
    let bytes: [UInt8] = Array("stress tensor".utf8)
    for count in 0..<bytes.count {
      let files = MemoryFileSystem()
      let store = Store(files, state: "/state")
      let digest = try store.put(bytes)
      files.drop(store.path(of: digest), Array(bytes[..<count]))
      try store.put(bytes)
      #expect(try store.get(digest) == bytes, "cut at \(count)")
    }
  }

  @Test func manyWritersOfTheSameObjectsAgree() throws {
    let scratch = try ScratchFolder()
    let state = Path.join(scratch.path, "state")
    let digests = try concurrentMap(64, threads: 8) { index in
      try Store(PosixFileSystem(), state: state).put(Array("object \(index % 8)".utf8))
    }
    #expect(Set(digests).count == 8)
    let store = Store(PosixFileSystem(), state: state)
    let verification = try store.verify()
    #expect(verification.isSound && verification.sizes.objects == 8)
    // No temporary file is left.
    for shard in try PosixFileSystem().entries(of: Path.join(state, "objects")) {
      let names = try PosixFileSystem().entries(of: Path.join(state, "objects/\(shard.name)"))
      #expect(names.allSatisfy { !$0.name.hasPrefix(".") })
    }
  }

  @Test func anyCallMayFailOrBeTheLast() throws {
    let bytes = Array("a whole object".utf8)
    let digest = Digest(of: bytes)
    func work(_ files: any FileSystem) throws {
      let store = Store(files, state: "/state")
      try store.put(bytes)
      try store.remember(
        StoredAction(key: digest, stage: "s", outputs: [.init(name: "o", digest: digest)]))
    }
    let counting = FaultyFileSystem(MemoryFileSystem(), call: 0, .crash)
    try work(counting)
    #expect(counting.calls > 15)
    for call in 1...counting.calls {
      for fault: FaultyFileSystem.Fault in [
        .error(ENOSPC), .error(EIO), .error(EACCES), .persistentError(ENOSPC), .crash,
      ] {
        let memory = MemoryFileSystem()
        do {
          try work(FaultyFileSystem(memory, call: call, fault))
          // EACCES of link means "no hard links here" and is worked around.
          #expect(fault == .error(EACCES), "call \(call) went unnoticed")
        } catch { #expect(error is StoreError) }
        for loss: PowerLoss in [
          .everything, .onlySynchronized, .namesWithoutContents, .random(seed: UInt64(call)),
        ] {
          let after = memory.afterPowerLoss(loss)
          let messages = Messages()
          let store = Store(after, state: "/state", report: messages.report)
          let found = try store.get(digest)
          #expect(found == nil || found == bytes)
          #expect(messages.codes.isEmpty, "a half-written object became visible at call \(call)")
          try work(after)
          #expect(try store.get(digest) == bytes)
          #expect(try store.recall(digest, checking: .content) != nil)
        }
      }
    }
  }

  @Test func whatWasReturnedFromSurvivesAPowerCut() throws {
    let files = MemoryFileSystem()
    let digest = try Store(files, state: "/state").put([1, 2, 3])
    let after = files.afterPowerLoss(.onlySynchronized)
    #expect(try Store(after, state: "/state").get(digest) == [1, 2, 3])
  }

  @Test func remembersActions() throws {
    let files = MemoryFileSystem()
    let messages = Messages()
    let store = Store(files, state: "/state", report: messages.report)
    let output = try store.put([1])
    let record = StoredAction(
      key: Digest(of: "key"), stage: "featurize",
      outputs: [.init(name: "rows", digest: output)], note: "{\"atoms\":54}")
    #expect(try store.recall(record.key) == nil)
    try store.remember(record)
    #expect(try store.recall(record.key) == record)
    var missing = record
    missing.outputs[0].digest = Digest(of: "never stored")
    #expect(throws: StoreError.missing(missing.outputs[0].digest)) { try store.remember(missing) }

    // An output that is gone or damaged makes the memo void, but `explain` can still read it.
    files.drop(store.path(of: output), [2])
    #expect(try store.recall(record.key, checking: .presence) == record)
    #expect(try store.recall(record.key, checking: .content) == nil)
    #expect(try store.recall(record.key) == nil)
    #expect(try store.action(record.key) == record)
    #expect(messages.codes == ["damaged-object"])
  }

  @Test func everyDamageToAnActionIsNoticed() throws {
    let files = MemoryFileSystem()
    let store = Store(files, state: "/state")
    let output = try store.put([1])
    let record = StoredAction(
      key: Digest(of: "key"), stage: "s", outputs: [.init(name: "o", digest: output)])
    try store.remember(record)
    let path = "/state/actions/\(record.key.description.prefix(2))/\(record.key)"
    let whole = try files.readFile(path)
    for count in 0..<whole.count {
      files.drop(path, Array(whole[..<count]))
      #expect(try store.recall(record.key) == nil, "cut at \(count)")
    }
    for bit in 0..<whole.count * 8 {
      var flipped = whole
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      files.drop(path, flipped)
      #expect(try store.recall(record.key) == nil, "bit \(bit)")
    }
    // A whole record under another key's name is not an answer either.
    let other = Digest(of: "other")
    files.drop("/state/actions/\(other.description.prefix(2))/\(other)", whole)
    #expect(try store.recall(other) == nil)
  }

  @Test func verifyFindsAllDamage() throws {
    let files = MemoryFileSystem()
    let store = Store(files, state: "/state")
    let digests = try (0..<10).map { try store.put([UInt8($0)]) }
    let record = StoredAction(
      key: Digest(of: "key"), stage: "s", outputs: [.init(name: "o", digest: digests[3])])
    try store.remember(record)
    #expect(try store.verify().isSound)
    files.drop(store.path(of: digests[3]), [99])
    files.drop(store.path(of: digests[7]), [])
    let found = try store.verify()
    #expect(Set(found.damaged) == [digests[3], digests[7]])
    #expect(found.sizes.objects == 8)
    #expect(found.incompleteActions == [record.key])
    #expect(try store.verify().damaged.isEmpty)
  }

  @Test func garbageCollectionNeverTouchesWhatIsReachable() throws {
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock)
    let store = Store(files, state: "/state")
    let reachable = try store.put([1])
    let output = try store.put([2])
    let garbage = try store.put([3])
    let keep = StoredAction(
      key: Digest(of: "keep"), stage: "s", outputs: [.init(name: "o", digest: output)])
    let drop = StoredAction(
      key: Digest(of: "drop"), stage: "s", outputs: [.init(name: "o", digest: garbage)])
    try store.remember(keep)
    try store.remember(drop)
    let shard = Path.parent(store.path(of: garbage))
    files.drop(Path.join(shard, ".tmp-0123456789abcdef"), [0])

    let early = try store.collectGarbage(reachable: [reachable], keeping: [keep.key])
    #expect(early.removed == .init(), "younger than the grace: another node may need it")
    clock.advance(by: .seconds(4000))
    let young = try store.put([4])
    let late = try store.collectGarbage(reachable: [reachable], keeping: [keep.key])
    #expect(late.removed == .init(objects: 1, bytes: 1, actions: 1))
    #expect(late.kept == .init(objects: 3, bytes: 3, actions: 1))
    for digest in [reachable, output, young] { #expect(try store.contains(digest)) }
    #expect(try !store.contains(garbage))
    #expect(try store.recall(keep.key) == keep)
    #expect(try store.action(drop.key) == nil)
    #expect(try files.entries(of: shard).isEmpty)
  }
}
