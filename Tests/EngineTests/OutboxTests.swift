import Engine
import Glibc
import Platform
import TestSupport
import Testing

@Suite struct OutboxTests {
  /// An outbox, a store with one object, and the files of a run.
  static func prepared(_ files: any FileSystem) throws -> (Outbox, Store, [OutboxFile]) {
    let store = Store(files, state: "/outbox/.sluice")
    let digest = try store.put(Array("potential".utf8))
    return (
      Outbox(files, folder: "/outbox"), store,
      [
        OutboxFile(path: "candidates.csv", .bytes(Array("rank,id\n".utf8))),
        OutboxFile(path: "structures/0001-abcd1234/POSCAR", .bytes(Array("W\n".utf8))),
        OutboxFile(path: "potential/w.yace", .object(digest)),
        OutboxFile(path: "empty", .bytes([])),
      ]
    )
  }

  /// What a user sees: everything but the state.
  static func visible(_ files: MemoryFileSystem) -> [String] {
    files.tree("/outbox").filter { !$0.path.hasPrefix("/outbox/.sluice") }.map { path, content in
      path + (content.map { "=" + String(decoding: $0, as: UTF8.self) } ?? "/")
    }
  }

  @Test func publishesAWholeRun() throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    #expect(try outbox.nextRunNumber() == 1 && outbox.latestRun() == nil)
    #expect(try outbox.nextRunNumber(after: 41) == 42)
    let published = try outbox.publish(run: 42, run, from: store)
    #expect(published.path == "/outbox/runs/000042" && !published.wasPresent)
    #expect(try outbox.runs() == [42] && outbox.latestRun() == 42)
    #expect(try outbox.nextRunNumber(after: 7) == 43)
    #expect(try files.readSymbolicLink("/outbox/latest") == "runs/000042")
    #expect(try files.readFile("/outbox/runs/000042/potential/w.yace") == Array("potential".utf8))
    #expect(
      published.manifest.files.map(\.path)
        == ["candidates.csv", "empty", "potential/w.yace", "structures/0001-abcd1234/POSCAR"])
    let bytes = try files.readFile("/outbox/runs/000042/manifest.json")
    #expect(OutboxManifest.decode(bytes) == published.manifest)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.hasPrefix("{\"files\":[\n{\"path\":\"candidates.csv\",\"sha256\":\""))
    #expect(text.split(separator: "\n").count == 6)
    #expect(try outbox.verify(run: 42) == [])
    #expect(files.tree("/outbox/.sluice/scratch").count == 1)
    #expect(try files.status(of: "/outbox/.sluice/scratch").permissions == 0o700)
  }

  @Test func publishingAgainChangesNothing() throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    try _ = outbox.publish(run: 1, run, from: store)
    let before = Self.visible(files)
    #expect(try outbox.publish(run: 1, run.reversed(), from: store).wasPresent)
    #expect(Self.visible(files) == before)
    var other = run
    other[0] = OutboxFile(path: "candidates.csv", .bytes([1]))
    #expect(throws: OutboxError.runExists(path: "/outbox/runs/000001")) {
      try outbox.publish(run: 1, other, from: store)
    }
    #expect(Self.visible(files) == before)
  }

  @Test func theOutboxShowsAWholeRunOrNoneWhicheverCallFails() throws {
    let sound = MemoryFileSystem()
    func work(_ files: any FileSystem) throws {
      let (outbox, store, run) = try Self.prepared(files)
      if try outbox.runs().isEmpty || outbox.latestRun() == nil {
        _ = try outbox.publish(run: 1, run, from: store)
      }
      _ = try outbox.publish(run: 2, run.dropLast(), from: store)
    }
    let counting = FaultyFileSystem(sound, call: 0, .crash)
    try work(counting)
    let expected = Self.visible(sound)
    var runTwo = expected.filter { $0.contains("/runs/000002/") }
    #expect(!runTwo.isEmpty && counting.calls > 100)
    runTwo.sort()
    for call in 1...counting.calls {
      for fault: FaultyFileSystem.Fault in [
        .error(ENOSPC), .error(EIO), .error(EACCES), .persistentError(ENOSPC),
        .persistentError(EROFS), .crash,
      ] {
        let memory = MemoryFileSystem()
        do { try work(FaultyFileSystem(memory, call: call, fault)) } catch {
          #expect(error is OutboxError || error is StoreError, "call \(call): \(error)")
        }
        var disks = [memory.afterPowerLoss(.everything)]
        if fault == .crash {
          disks += [.onlySynchronized, .namesWithoutContents].map { memory.afterPowerLoss($0) }
          disks += (0..<4).map { memory.afterPowerLoss(.random(seed: UInt64(call * 8 + $0))) }
        }
        for disk in disks {
          let shown = Self.visible(disk)
          let part = shown.filter { $0.contains("/runs/000002/") }.sorted()
          #expect(part.isEmpty || part == runTwo, "call \(call), \(fault)")
          if let latest = try? disk.readSymbolicLink("/outbox/latest") {
            #expect(try disk.status(of: "/outbox/" + latest).kind == .folder)
          }
          try work(disk)
          #expect(Self.visible(disk) == expected, "call \(call), \(fault)")
          #expect(disk.tree("/outbox/.sluice/scratch").count == 1)
        }
      }
    }
  }

  @Test func aFullDiskIsNoticedBeforeAnythingIsWritten() throws {
    let files = MemoryFileSystem(room: 1 << 20)
    let (outbox, store, run) = try Self.prepared(files)
    let big = OutboxFile(path: "big", .bytes([UInt8](repeating: 1, count: 1 << 19)))
    let before = Self.visible(files)
    let error = #expect(throws: OutboxError.self) {
      try outbox.publish(run: 1, run + [big], from: store)
    }
    guard case .fileSystem(let inner)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(inner.code == .diskFull && inner.path == "/outbox")
    #expect(Self.visible(files).filter { !$0.hasSuffix("runs/") } == before)
  }

  @Test func whoeverLostTheLockPublishesNothing() throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    struct Lost: Error {}
    var asked = 0
    for allowed in 0...1 {
      asked = 0
      #expect(throws: OutboxError.self) {
        try outbox.publish(run: 1, run, from: store) {
          asked += 1
          if asked > allowed { throw Lost() }
        }
      }
      #expect(try outbox.runs().count == allowed)
      #expect(try outbox.latestRun() == nil)
    }
    #expect(try outbox.publish(run: 1, run, from: store).wasPresent)
    #expect(try outbox.latestRun() == 1)
  }

  @Test(arguments: [
    "", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", "./a", "a/.", "a\\b", "a\0b", "a\nb",
    "a\u{1b}[2J", "a\u{202e}b", "manifest.json", "MANIFEST.json", "candidates.csv",
    "Candidates.CSV", "empty/file", "structures", "Potential",
    String(repeating: "x", count: 256),
    String(repeating: "long/", count: 1000) + "x",
  ])
  func hostilePathsAreRefused(_ path: String) throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    let before = files.tree().map(\.path)
    let error = #expect(throws: OutboxError.self) {
      try outbox.publish(run: 1, run + [OutboxFile(path: path, .bytes([]))], from: store)
    }
    guard case .badPath? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(files.tree().map(\.path) == before)
    #expect(error?.description.unicodeScalars.allSatisfy { $0.value >= 32 } == true)
  }

  @Test func aMissingObjectStopsBeforePublication() throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    let missing = Digest(of: "missing")
    #expect(throws: OutboxError.store(.missing(missing))) {
      try outbox.publish(run: 1, run + [OutboxFile(path: "x", .object(missing))], from: store)
    }
    // A damaged one is found while it is copied.
    guard case .object(let digest) = run[2].content else { return }
    files.drop(store.path(of: digest), "Potential")
    #expect(throws: OutboxError.store(.missing(digest))) {
      try outbox.publish(run: 1, run, from: store)
    }
    #expect(try outbox.runs().isEmpty)
  }

  @Test func oldRunsCanBePruned() throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    for number in 1...6 { _ = try outbox.publish(run: number, run, from: store) }
    files.drop("/outbox/runs/notes.txt", "mine")
    files.dropFolder("/outbox/runs/7")
    #expect(try outbox.prune(keepingLast: 10) == [])
    #expect(try outbox.prune(keepingLast: 2) == [1, 2, 3, 4])
    #expect(try outbox.runs() == [5, 6])
    // What the user put there, and what `latest` names, stays.
    #expect(try files.readFile("/outbox/runs/notes.txt") == Array("mine".utf8))
    try files.replaceSymbolicLink(
      "/outbox/latest", to: "runs/000005", scratch: "/outbox/.sluice/scratch")
    #expect(try outbox.prune(keepingLast: 1) == [])
    #expect(try outbox.runs() == [5, 6])
  }

  @Test func pruningNeverShowsHalfARun() throws {
    func prepare() throws -> MemoryFileSystem {
      let files = MemoryFileSystem()
      let (outbox, store, run) = try Self.prepared(files)
      for number in 1...3 { _ = try outbox.publish(run: number, run, from: store) }
      return files
    }
    let sound = try prepare()
    let counting = FaultyFileSystem(sound, call: 0, .crash)
    try Outbox(counting, folder: "/outbox").prune(keepingLast: 1)
    let expected = Self.visible(sound)
    for call in 1...counting.calls {
      let files = try prepare()
      let faulty = FaultyFileSystem(files, call: call, .crash)
      #expect(throws: OutboxError.self) {
        try Outbox(faulty, folder: "/outbox").prune(keepingLast: 1)
      }
      let disk = files.afterPowerLoss(.random(seed: UInt64(call)))
      let outbox = Outbox(disk, folder: "/outbox")
      for number in try outbox.runs() { #expect(try outbox.verify(run: number) == []) }
      try outbox.prune(keepingLast: 1)
      _ = try Self.prepared(disk)
      #expect(Self.visible(disk) == expected, "call \(call)")
    }
  }

  @Test func verifyNamesEveryFault() throws {
    let files = MemoryFileSystem()
    let (outbox, store, run) = try Self.prepared(files)
    _ = try outbox.publish(run: 1, run, from: store)
    files.drop("/outbox/runs/000001/candidates.csv", "changed")
    files.drop("/outbox/runs/000001/extra/file", "x")
    try files.removeFile("/outbox/runs/000001/empty")
    #expect(try outbox.verify(run: 1) == ["candidates.csv", "empty", "extra/file"])
    #expect(try outbox.verify(run: 2) == ["manifest.json"])
  }

  @Test func theSameOnARealDisk() throws {
    let scratch = try ScratchFolder()
    let files = PosixFileSystem()
    let folder = Path.join(scratch.path, "outbox/tungsten")
    let store = Store(files, state: Path.join(folder, ".sluice"))
    let outbox = Outbox(files, folder: folder)
    let digest = try store.put(Array("potential".utf8))
    for number in 1...3 {
      _ = try outbox.publish(
        run: number,
        [
          OutboxFile(path: "a/b/c.txt", .bytes(Array("run \(number)".utf8))),
          OutboxFile(path: "p.yace", .object(digest)),
        ], from: store)
    }
    #expect(try files.readFile(Path.join(folder, "latest/a/b/c.txt")) == Array("run 3".utf8))
    #expect(try outbox.prune(keepingLast: 2) == [1])
    #expect(try outbox.verify(run: 3) == [])
    // The manifest agrees with sha256sum.
    try scratch.shell(
      """
      cd outbox/tungsten/latest
      sum=$(sha256sum a/b/c.txt | cut -d' ' -f1); grep -q "$sum" manifest.json
      """)
  }
}
