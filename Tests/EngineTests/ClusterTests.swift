import Configurations
import Engine
import Foundation
import Platform
import StageKit
import Synchronization
import Testing

/// A project of toy stages whose work is done by a scheduler in memory.
@Suite struct ClusterTests {
  typealias Fate = FakeCluster.Fate

  /// Sees what a run says.
  final class Log: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ event: RunEvent) {
      if case .note(_, let words) = event { lines.withLock { $0.append(words) } }
    }
    var text: String { lines.withLock { $0.joined(separator: "\n") } }
  }

  struct World {
    var base: SessionTests.World
    var options = "sourcesPerTask: 1"
    var use = "slurm"

    init(_ count: Int = 6) {
      base = SessionTests.World(
        Dictionary(uniqueKeysWithValues: (1...count).map { ("d/\($0).txt", "\($0)\n\($0 + 1)\n") }))
    }

    var files: MemoryFileSystem { base.files }

    func open(_ cluster: FakeCluster, pause: (@Sendable (Duration) throws -> Void)? = nil) throws -> Session {
      var world = base
      world.settings += ", executor: { use: '\(use)', poll: 1, grace: 3, program: '/opt/sluice', \(options) }"
      return try world.open(
        cluster: ClusterSupport(
          scheduler: cluster, timing: .init(results: .seconds(1) ... .seconds(1)),
          pause: pause ?? { cluster.pause($0) }))
    }

    func pass(_ cluster: FakeCluster, _ log: Log = Log(), pause: (@Sendable (Duration) throws -> Void)? = nil) throws
      -> PassResult
    {
      let session = try open(cluster, pause: pause)
      let result = Result { try session.pass(version: "test", progress: { log.add($0) }) }
      try? session.close()
      return try result.get()
    }

    /// What a run on this machine gives.
    func local() throws -> PassResult {
      var other = SessionTests.World([:])
      for (path, bytes) in files.tree("/project/in") {
        if let bytes {
          other.drop(String(path.dropFirst("/project/in/".count)), String(decoding: bytes, as: UTF8.self))
        }
      }
      other.clock.advance(by: .seconds(30))
      other.settings = base.settings
      return try other.pass()
    }

    var leftOrders: [String] {
      files.tree("/project/out/.sluice/work").map(\.path).filter { $0.hasSuffix("order.json") }
    }
  }

  private func expectSame(_ result: PassResult, _ world: World, _ what: Comment = "") throws {
    let local = try world.local()
    #expect(result.outcome.publication == local.outcome.publication, what)
    #expect(result.outcome.record.fingerprint == local.outcome.record.fingerprint, what)
    #expect(result.outcome.actions == local.outcome.actions, what)
    #expect(result.outcome.record.quarantined == local.outcome.record.quarantined, what)
    #expect(world.leftOrders == [], what)
  }

  @Test func aClusterGivesWhatThisMachineGives() throws {
    let world = World()
    let cluster = FakeCluster(world.files)
    let result = try world.pass(cluster)
    try expectSame(result, world)
    let local = try world.local()
    #expect(result.outcome.record.ran == local.outcome.record.ran)
    #expect(result.outcome.record.stages.map(\.counters) == local.outcome.record.stages.map(\.counters))
    // Reading, squaring, folds after it.
    #expect(cluster.submitted.map(\.tasks) == [6, 6, nil])
    #expect(cluster.submitted.map(\.after) == [[], [], ["102"]])
    let again = try world.pass(cluster)
    #expect(again.outcome.record.isUnchanged && cluster.submitted.count == 3)
  }

  @Test func oneNewDropIsOneTask() throws {
    let world = World()
    let cluster = FakeCluster(world.files)
    _ = try world.pass(cluster)
    world.base.drop("new.txt", "77\n")
    world.base.clock.advance(by: .seconds(30))
    let result = try world.pass(cluster)
    #expect(cluster.submitted.map(\.tasks).suffix(3) == [1, 1, nil])
    #expect(result.outcome.record.ran == [1, 1, 1, 1, 1])
    try expectSame(result, world)
  }

  /// Whatever happens to a first start, the second one mends it.
  @Test(arguments: [
    Fate.runsTwice, .vanishes, .ends("FAILED"), .ends("NODE_FAIL"), .ends("CANCELLED"), .ends("OUT_OF_MEMORY"),
    .cutOff(after: 2, "TIMEOUT"), .requeued(after: 1), .stuck("JobHoldMaxRequeue"),
  ])
  func aBadStartChangesNothing(_ fate: Fate) throws {
    for share in [1, 3] {
      var world = World()
      world.options = "sourcesPerTask: \(share), retries: 2"
      let cluster = FakeCluster(world.files) { start in
        // Arrays and folds alike; every second task of an array.
        start.number % 2 == 1 && start.before == 0 && start.job.attempt == 0 ? fate : .runs
      }
      let result = try world.pass(cluster)
      try expectSame(result, world, "\(fate), \(share) per task")
    }
  }

  /// A share that was cut off goes on where it was.
  @Test func whatWasDoneIsNotDoneAgain() throws {
    var world = World(6)
    world.options = "sourcesPerTask: 6"
    let cluster = FakeCluster(world.files) { start in
      start.job.tasks != nil && start.job.attempt == 0 ? .cutOff(after: 3, "TIMEOUT") : .runs
    }
    world.files.forgetTouches()
    let result = try world.pass(cluster)
    try expectSame(result, world)
    let again = cluster.submitted.filter { $0.attempt > 0 }
    #expect(!again.isEmpty && again.allSatisfy { $0.tasks! < 6 }, "only what was missing, each by itself")
  }

  @Test func moreIsAskedForAfterRunningOut() throws {
    let world = World(2)
    let cluster = FakeCluster(world.files) { start in
      guard start.job.attempt == 0 else { return .runs }
      return start.number == 1 ? .ends("OUT_OF_MEMORY") : .ends("TIMEOUT")
    }
    _ = try world.pass(cluster)
    let arrays = cluster.submitted.filter { $0.tasks != nil }.map(\.resources)
    #expect(arrays[0] == .init(minutes: 60, megabytes: 2048, processors: 1))
    #expect(arrays.contains(.init(minutes: 60, megabytes: 4096, processors: 1)))
    #expect(arrays.contains(.init(minutes: 120, megabytes: 2048, processors: 1)))
  }

  /// One source kills whatever touches it: it is named, the others are done, and mending helps.
  @Test func aTaskThatAlwaysDiesIsNamed() throws {
    var world = World(5)
    world.options = "sourcesPerTask: 2, retries: 1"
    let poison = Mutex(true)
    let files = world.files
    let cluster = FakeCluster(world.files) { start in
      guard start.job.tasks != nil, poison.withLock({ $0 }) else { return .runs }
      let share = String(
        decoding: (try? files.readFile(start.job.folder + "/shares/\(start.number).json")) ?? [], as: UTF8.self)
      return share.contains("d/3.txt") ? .ends("OUT_OF_MEMORY") : .runs
    }
    let error = try #require(throws: RunError.self) { try world.pass(cluster) }
    #expect(error.kind == .environment && error.stage == "numbers" && error.subject == "d/3.txt")
    #expect(error.cause.contains("job 1") && error.cause.contains("2 times") && error.cause.contains("OUT_OF_MEMORY"))
    #expect(error.remedy.contains("'memory'") && error.remedy.contains("4096 MB"))
    poison.withLock { $0 = false }
    let before = cluster.submitted.count
    let result = try world.pass(cluster)
    #expect(cluster.submitted[before].tasks == 1, "the others were kept")
    try expectSame(result, world)
  }

  /// The worker's own words come back where it could still say them.
  @Test func aSickNodeIsQuoted() throws {
    var world = World(2)
    world.options = "sourcesPerTask: 1, retries: 0"
    let other: StageRegistry = Toy.registry.merging(["numbers": NumbersOfAnotherVersion.self]) { $1 }
    let cluster = FakeCluster(world.files, registry: other)
    let error = try #require(throws: RunError.self) { try world.pass(cluster) }
    #expect(error.cause.contains("On node: this program computes other keys"))
    #expect(error.cause.contains("first line"), "the log's last lines")
    #expect(error.remedy.contains("same version"))
  }

  @Test func aBadDropIsSetAsideAsHere() throws {
    let world = World(3)
    world.base.drop("bad.txt", "1\nhello\n")
    world.base.drop("ninety-nine.txt", "99\n")
    world.base.drop("open.txt", "5\nopen\n")
    world.base.clock.advance(by: .seconds(30))
    let result = try world.pass(FakeCluster(world.files))
    #expect(result.outcome.exitStatus == 3)
    #expect(result.outcome.record.quarantined.map(\.name) == ["bad.txt", "ninety-nine.txt"])
    #expect(result.outcome.record.unsettled == ["open.txt"])
    try expectSame(result, world)
  }

  @Test func aFileThatChangesMeanwhileWaits() throws {
    let world = World(3)
    let isFirst = Mutex(true)
    let files = world.files
    let cluster = FakeCluster(world.files) { start in
      let first = isFirst.withLock { value in
        defer { value = false }
        return value
      }
      if first { files.drop("/project/in/d/2.txt", "1000\n") }
      return .runs
    }
    let result = try world.pass(cluster)
    #expect(result.outcome.record.unsettled == ["d/2.txt"] && result.outcome.exitStatus == 0)
    world.base.clock.advance(by: .seconds(30))
    try expectSame(try world.pass(cluster), world)
  }

  @Test func aFoldsOwnErrorComesBack() throws {
    let world = World(1)
    world.base.drop("d/1.txt", "")
    world.base.clock.advance(by: .seconds(30))
    let error = try #require(throws: RunError.self) { try world.pass(FakeCluster(world.files)) }
    #expect(error.kind == .input && error.stage == "total" && error.cause == "there are no numbers.")
  }

  @Test func aDamagedObjectIsMadeAgainByTheCluster() throws {
    let world = World(3)
    let files = world.files
    let isFirst = Mutex(true)
    let cluster = FakeCluster(world.files) { start in
      if start.job.name.contains("square"), start.job.tasks != nil, isFirst.withLock({ $0 }) {
        isFirst.withLock { $0 = false }
        let wanted = Digest(of: Array("2\n3\n".utf8)).description
        for (path, _) in files.tree("/project/out/.sluice/objects") where Path.name(path) == wanted {
          files.drop(path, "2\n4\n")
        }
      }
      return .runs
    }
    try expectSame(try world.pass(cluster), world)
  }

  @Test func foldsMayStayHere() throws {
    var world = World(3)
    world.options = "sourcesPerTask: 1, mergeHere: true"
    let cluster = FakeCluster(world.files)
    try expectSame(try world.pass(cluster), world)
    #expect(cluster.submitted.map(\.tasks) == [3, 3])
  }

  @Test func largeArraysAreSplit() throws {
    let world = World(23)
    let cluster = FakeCluster(world.files, largest: 10)
    try expectSame(try world.pass(cluster), world)
    #expect(cluster.submitted.filter { $0.name.contains("numbers") }.compactMap(\.tasks) == [10, 10, 3])
    #expect(cluster.submitted.first { $0.tasks == nil }?.after == ["104", "105", "106"])
  }

  // MARK: The controller

  @Test func aRefusedJobStopsTheRunWithARemedy() throws {
    let world = World(2)
    let cluster = FakeCluster(world.files)
    cluster.refuse([.refused("sbatch: error: invalid partition specified: gpu")])
    let error = try #require(throws: RunError.self) { try world.pass(cluster) }
    #expect(error.kind == .pipeline && error.cause.contains("invalid partition specified"))
    #expect(error.remedy.contains("'partition'"))
    #expect(world.leftOrders == [])
    try expectSame(try world.pass(cluster), world)
  }

  @Test func aSilentControllerIsWaitedFor() throws {
    let world = World(2)
    let cluster = FakeCluster(world.files)
    let log = Log()
    cluster.refuse(Array(repeating: .unreachable("Unable to contact slurm controller"), count: 5))
    cluster.beSilent(Array(repeating: .unreachable("Unable to contact slurm controller"), count: 9))
    try expectSame(try world.pass(cluster, log), world)
    #expect(log.text.contains("trying again"))
  }

  /// While nobody knows what became of the tasks, nothing is started again.
  @Test func silenceIsNotFailure() throws {
    let world = World(2)
    let cluster = FakeCluster(world.files) { start in
      start.job.tasks != nil && start.job.attempt == 0 && start.number == 1 ? .ends("FAILED") : .runs
    }
    let log = Log()
    cluster.beSilent(Array(repeating: .unreachable("Socket timed out"), count: 30))
    try expectSame(try world.pass(cluster, log), world)
    #expect(log.text.contains("does not answer (Socket timed out)") && log.text.contains("answers again"))
    #expect(cluster.looks > 30)
  }

  @Test func aJobThatWasTakenInSilenceIsNotSubmittedTwice() throws {
    let world = World(2)
    let cluster = FakeCluster(world.files)
    cluster.refuse([.unreachable("Socket timed out on send/recv operation")], butAccepts: true)
    try expectSame(try world.pass(cluster), world)
    #expect(cluster.submitted.map(\.tasks) == [2, 2, nil])
  }

  @Test func patienceEnds() throws {
    var world = World(2)
    world.options = "patience: 20"
    let cluster = FakeCluster(world.files)
    cluster.refuse(Array(repeating: .unreachable("Unable to contact slurm controller"), count: 1000))
    let error = try #require(throws: RunError.self) { try world.pass(cluster) }
    #expect(error.kind == .environment && error.cause.contains("20 s") && error.cause.contains("Unable to contact"))
  }

  // MARK: A run that is stopped

  /// Jobs that are under way are remembered, whether the run was stopped or died.
  @Test(arguments: [true, false]) func theNextRunTakesOver(wasAsked: Bool) throws {
    for moment in 0..<12 {
      let world = World(4)
      let cluster = FakeCluster(world.files)
      let count = Mutex(0)
      let log = Log()
      let stopped = Result {
        try world.pass(
          cluster, log,
          pause: { duration in
            let turn = count.withLock {
              $0 += 1
              return $0 - 1
            }
            if turn == moment { throw wasAsked ? CancellationError() : POSIXError(.EIO) }
            cluster.pause(duration)
          })
      }
      guard case .failure(let error) = stopped else { continue }
      if wasAsked {
        #expect((error as? RunError)?.kind == .cancelled)
        #expect(log.text.contains("go on without this run"))
      }
      let result = try world.pass(cluster)
      try expectSame(result, world, "moment \(moment)")
      #expect(cluster.submitted.filter { $0.tasks != nil }.count == 2, "moment \(moment)")
    }
  }

  @Test func aRunThatIsCalledOffLeavesNothing() throws {
    let world = World(4)
    let cluster = FakeCluster(world.files)
    _ = Result { try world.pass(cluster, pause: { _ in throw CancellationError() }) }
    #expect(try WorkSummary.all(world.files, state: "/project/out/.sluice").map(\.stage) == ["numbers"])
    let session = try world.open(cluster)
    #expect(try session.cancelWork() == 1)
    try session.close()
    #expect(cluster.cancelled.count == 1 && world.leftOrders == [])
    // What starts all the same finds nothing to do.
    let folder = cluster.submitted[0].folder
    let ending = try Worker(world.files, stages: Toy.registry).perform(order: folder, share: 1)
    #expect(ending == .notNeeded)
    try expectSame(try world.pass(cluster), world)
  }

  /// A worker's disk may fail at any call, or its process end there.
  @Test(arguments: [FaultyFileSystem.Fault.crash, .error(28)])
  func aWorkerMayFailAnywhere(_ fault: FaultyFileSystem.Fault) throws {
    let clean = World(3)
    _ = Result { try clean.pass(FakeCluster(clean.files), pause: { _ in throw CancellationError() }) }
    let order = try #require(
      clean.leftOrders.first { path in clean.files.tree(Path.parent(path) + "/shares").count > 2 })
    let counting = FaultyFileSystem(clean.files, call: 0, .crash)
    let state = clean.files.afterPowerLoss(.everything)
    _ = try Worker(counting, stages: Toy.registry, threads: 1).perform(order: Path.parent(order), share: 1)
    for call in 1...counting.calls {
      let files = state.afterPowerLoss(.everything)
      let faulty = FaultyFileSystem(files, call: call, fault)
      let worker = { (disk: any FileSystem) in Worker(disk, stages: Toy.registry, threads: 1) }
      _ = Result { try worker(faulty).perform(order: Path.parent(order), share: 1) }
      #expect(faulty.hasFailed, "call \(call)")
      let ending = try worker(files).perform(order: Path.parent(order), share: 1)
      #expect([.alreadyDone, .done(tasks: 1, ran: 0), .done(tasks: 1, ran: 1)].contains(ending), "call \(call)")
      let done = files.tree(Path.parent(order) + "/results").filter { $0.path.hasSuffix("/1.json") }
      #expect(done.count == 1, "call \(call)")
    }
  }

  /// A description is used whole or not at all.
  @Test func aTornOrderIsRefused() throws {
    let world = World(2)
    _ = Result { try world.pass(FakeCluster(world.files), pause: { _ in throw CancellationError() }) }
    let order = try #require(world.leftOrders.first)
    for name in ["order.json", "shares/1.json"] {
      let path = Path.parent(order) + "/" + name
      let bytes = try world.files.readFile(path)
      for length in stride(from: 0, to: bytes.count, by: 37) {
        world.files.drop(path, bytes.prefix(length).map { $0 })
        #expect(throws: RunError.self, "\(name), \(length) bytes") {
          try Worker(world.files, stages: Toy.registry).perform(order: Path.parent(order), share: 1)
        }
      }
      world.files.drop(path, bytes)
    }
  }

  // MARK: By hand

  @Test func peopleCanDoTheWork() throws {
    var world = World(3)
    world.use = "manual"
    let cluster = FakeCluster(world.files)
    var rounds = 0
    while rounds < 10 {
      rounds += 1
      let attempt = Result { try world.pass(cluster) }
      guard case .failure(let error as RunError) = attempt, error.kind == .elsewhere else {
        try expectSame(try attempt.get(), world)
        break
      }
      #expect(error.commands.count == (rounds == 1 ? 3 : rounds == 2 ? 1 : 3))
      // In the first round one command is forgotten: it is printed again, alone.
      for command in rounds == 1 ? Array(error.commands.dropFirst()) : error.commands {
        let words = command.split(separator: " ").map(String.init)
        #expect(words.count == 4 && words[0] == "/opt/sluice" && words[1] == "work")
        _ = try Worker(world.files, stages: Toy.registry).perform(order: words[2], share: Int(words[3])!)
      }
    }
    #expect(rounds == 4 && cluster.submitted.isEmpty)
  }
}

/// As a node with another version of the program has it.
struct NumbersOfAnotherVersion: ImportStage {
  static let description = StageDescription(
    name: "numbers", version: 2, summary: "Reads files of numbers.", takes: [], gives: [.perSource(.numbers)])
  private let numbers: Numbers

  init(parameters: inout ParameterDecoder) throws(ParameterError) { numbers = try Numbers(parameters: &parameters) }

  var folders: ImportFolders { numbers.folders }

  func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult { try numbers.process(drop, context) }
}
