// A pipeline file comes in; under its lock, one pass at a time, published runs go out.

import Configurations
import Foundation
import Platform
import StageKit
import Synchronization

/// What one pass did.
public struct PassResult: Sendable {
  public let outcome: RunOutcome
  /// nil where nothing changed since the last published run (or no stage publishes).
  public let published: PublishedRun?
  /// The run that `latest` names.
  public let latest: Int?
}

/// What a session uses where its pipeline's executor is not this machine; tests bring their own.
public struct ClusterSupport: Sendable {
  /// nil for the one that the pipeline names.
  public var scheduler: (any BatchScheduler)?
  public var timing: ClusterExecutor.Timing
  public var pause: @Sendable (Duration) throws -> Void

  public init(
    scheduler: (any BatchScheduler)? = nil, timing: ClusterExecutor.Timing = .init(),
    pause: @escaping @Sendable (Duration) throws -> Void = { Thread.sleep(forTimeInterval: $0 / .seconds(1)) }
  ) {
    self.scheduler = scheduler
    self.timing = timing
    self.pause = pause
  }
}

/// An open project: the lock is held, the journal is read.
public final class Session: Sendable {
  public let pipeline: PipelineFile
  public let plan: Plan
  let fileSystem: any FileSystem
  let clock: any Clock
  private let lock: RunLock
  private let journal: Journal
  private let store: StoreActions
  public let folders: WatchedFolders
  private let cluster: ClusterSupport
  private let outbox: Outbox
  private let lastPublished: Mutex<JournalEntry.Published?>
  /// The journal's record from which on `InboxIndex` says nothing.
  private let indexed: Mutex<Int>

  /// The state folder of a pipeline.
  public static func stateFolder(of pipeline: PipelineFile) -> String { Path.join(pipeline.outbox, ".sluice") }

  /// Takes the lock and opens the state, which must belong to `owner` where one is given. Throws `LockError.held` where another run works.
  public init(
    _ pipeline: PipelineFile, plan: Plan, fileSystem: any FileSystem = PosixFileSystem(),
    clock: any Clock = SystemClock(), owner: UInt32? = nil, cluster: ClusterSupport = ClusterSupport(),
    report: @escaping @Sendable (Diagnostic) -> Void
  ) throws {
    self.pipeline = pipeline
    self.cluster = cluster
    self.plan = plan
    self.fileSystem = fileSystem
    self.clock = clock
    let state = Self.stateFolder(of: pipeline)
    try fileSystem.createFolders(state)
    // What lies in another user's folder could have been planted.
    if let owner { try fileSystem.requireOwner(owner, of: state) }
    lock = try RunLock.acquire(fileSystem, state: state, clock: clock, report: report)
    do {
      let known = InboxIndex.load(fileSystem, state: state)
      let (journal, records, isResumed) = try Journal.open(
        fileSystem, state: state, from: known?.mark, report: report)
      self.journal = journal
      indexed = Mutex(isResumed ? known?.mark.next ?? 0 : 0)
      store = StoreActions(Store(fileSystem, state: state, report: report), fileSystem)
      folders = WatchedFolders(
        fileSystem, journal: journal, records: records, after: isResumed ? known?.registries ?? [:] : [:],
        pipeline: pipeline, plan: plan)
      outbox = Outbox(fileSystem, folder: pipeline.outbox)
      lastPublished = Mutex(Self.lastPublished(records) ?? (isResumed ? known?.published : nil))
    } catch {
      try? lock.release()
      throw error
    }
    lock.keepAlive { _ in }  // a lost lock is noticed before anything is published
  }

  /// Throws unless the lock is still ours.
  func checkLock() throws(LockError) { try lock.check() }

  /// Gives the lock back.
  public func close() throws { try lock.release() }

  /// One pass: everything that has settled is taken in, and a run is published if anything changed and no
  /// stage waits. `ignoresTriggers`: no stage does.
  public func pass(
    version: String, ignoresTriggers: Bool = false, checkCancellation: @escaping @Sendable () throws -> Void = {},
    progress: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) throws -> PassResult {
    let started = clock.wallTime
    let drops = CancellableFolders(folders: folders, checkCancellation: checkCancellation)
    let executor = try executor(version: version)
    let runner = Runner(
      plan: plan, store: store, drops: drops, threads: pipeline.threads, executor: executor, now: started,
      ignoresTriggers: ignoresTriggers)
    var lost: Set<Digest> = []
    while true {
      let outcome = try runner.run(checkCancellation: checkCancellation, progress: progress)
      do {
        let result = try publish(outcome, started: started, version: version)
        try executor?.finish()
        index()
        if executor == nil { try WorkFolder(fileSystem, state: Self.stateFolder(of: pipeline)).removeAll() }
        return result
      } catch OutboxError.store(.missing(let digest)) where lost.insert(digest).inserted {
        // Nobody had read it since it was damaged; what made it runs again.
        progress(.objectLost(digest.short))
      }
    }
  }

  /// Keeps what the journal adds up to, now and then: reading it takes longer the more was ever dropped.
  private func index() {
    let next = journal.nextSequence
    guard next - indexed.withLock({ $0 }) > InboxIndex.mostRecordsBehind, let mark = try? journal.mark() else { return }
    InboxIndex(mark: mark, registries: folders.registries, published: lastPublished.withLock { $0 })
      .save(fileSystem, state: Self.stateFolder(of: pipeline))
    indexed.withLock { $0 = mark.next }
  }

  var scheduler: any BatchScheduler { cluster.scheduler ?? SlurmScheduler(pipeline.executor) }

  /// nil for this machine's threads.
  private func executor(version: String) throws -> ClusterExecutor? {
    let scheduler: (any BatchScheduler)?
    switch pipeline.executor.kind {
    case .local: return nil
    case .manual: scheduler = nil
    case .slurm: scheduler = self.scheduler
    }
    return ClusterExecutor(
      pipeline, scheduler: scheduler, fileSystem: fileSystem, clock: clock,
      timing: cluster.timing, version: version,
      pause: cluster.pause)
  }

  private func publish(_ made: RunOutcome, started: Timestamp, version: String) throws -> PassResult {
    var outcome = made
    let latest = try outbox.latestRun()
    guard let publication = outcome.publication else {
      return PassResult(outcome: outcome, published: nil, latest: latest)
    }
    let last = lastPublished.withLock { $0 }
    if let last, last.publication == publication.digest, last.number == latest {
      return PassResult(outcome: outcome, published: nil, latest: latest)
    }
    let number = try outbox.nextRunNumber(after: last?.number ?? 0)
    outcome.record.provenance = [
      "run": String(number), "started": started.description, "finished": clock.wallTime.description,
      "host": ProcessInfo.processInfo.hostName, "version": version, "pipeline": pipeline.path,
    ]
    let files =
      publication.parts.map { OutboxFile(path: $0.name, .object($0.digest)) }
      + [OutboxFile(path: "run.json", .bytes(try CanonicalJSON.encode(outcome.record, pretty: true)))]
    let published = try outbox.publish(run: number, files, from: store.store) { try lock.check() }
    let entry = JournalEntry.Published(
      number: number, publication: publication.digest, time: clock.wallTime.description)
    try journal.append(JournalEntry.published(entry).encoded)
    lastPublished.withLock { $0 = entry }
    if pipeline.keepRuns > 0 { _ = try outbox.prune(keepingLast: pipeline.keepRuns) }
    return PassResult(outcome: outcome, published: published, latest: number)
  }

  /// Whether something was dropped so lately that a pass would leave it for later.
  public func hasUnsettledDrops() throws -> Bool {
    for stage in plan.stages where !stage.folders.isEmpty {
      if try !folders.scan(stage).unsettled.isEmpty { return true }
    }
    return false
  }

  /// What the last pass stopped before, in words; empty where it went to the end.
  public static func waiting(_ pipeline: PipelineFile, _ fileSystem: any FileSystem = PosixFileSystem()) throws
    -> String
  {
    let store = Store(fileSystem, state: stateFolder(of: pipeline), report: { _ in })
    return String(decoding: try StoreActions(store, fileSystem).note(TriggerNotes.waiting) ?? [], as: UTF8.self)
  }

  /// What a pass would do, and why; reads records only.
  public func explain() throws -> Explanation {
    try Runner(plan: plan, store: store, drops: folders, threads: pipeline.threads).explain()
  }

  /// Units that were set aside are read again in the next pass. Returns their names.
  public func retry(matching matches: (String) -> Bool = { _ in true }) throws -> [String] {
    try Runner(plan: plan, store: store, drops: folders, threads: pipeline.threads).retry(matching: matches)
  }

  private static func lastPublished(_ records: [JournalRecord]) -> JournalEntry.Published? {
    for record in records.reversed() {
      if case .published(let published)? = JournalEntry.decode(record.payload) { return published }
    }
    return nil
  }
}
