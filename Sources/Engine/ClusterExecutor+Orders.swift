import Configurations
import Foundation
import Platform
import StageKit

extension ClusterExecutor {
  /// An order that may still bring results.
  struct LiveOrder {
    let name: String
    let order: WorkOrder
    let shares: [WorkShare]
    /// What the scheduler calls it.
    var job: String?
    /// Waits for other jobs.
    var wasDependent = false
    /// Shares whose results were taken.
    var taken: Set<Int> = []
    /// Shares of which nothing more is hoped for.
    var losses: [Int: Loss] = [:]
    /// Shares that the scheduler no longer works on, and since when; and its word for how they ended.
    var ended: [Int: (since: Duration, how: String?)] = [:]

    /// Whether nothing more is expected of it.
    var isOver: Bool { taken.count + losses.count >= shares.count }

    func isOpen(_ key: Digest) -> Bool {
      shares.indices.contains { !taken.contains($0 + 1) && losses[$0 + 1] == nil && shares[$0].keys.contains(key) }
    }
  }

  /// Why a share brought no result.
  struct Loss {
    var job: String?
    var number: Int
    /// The scheduler's word, or nil where it has none.
    var how: String?
    var failure: WorkFailure?
    var logPath: String
    var lastLines: [String]
    var attempts: Int
    var resources: ExecutorOptions.Resources

    func error(_ stage: String, _ subject: String?) -> RunError {
      let job = job.map { "job \($0)_\(number)" } ?? "its job"
      let times = attempts == 1 ? "" : ", \(attempts) times"
      var cause = "\(job) ended without a result\(times)" + (how.map { ": \($0)" } ?? "") + "."
      if let failure { cause += " On \(failure.host): \(failure.cause)" }
      if !lastLines.isEmpty { cause += " Its last lines: \(lastLines.joined(separator: " / "))" }
      let remedy =
        switch how {
        case "OUT_OF_MEMORY":
          "Raise 'memory' of the executor (it had \(resources.megabytes.map { "\($0) MB" } ?? "the partition's default"))."
        case "TIMEOUT", "DEADLINE":
          "Raise 'time' of the executor (it had \(resources.minutes.map { SlurmTime.text(minutes: $0) } ?? "the partition's default")), or lower 'sourcesPerTask'."
        case "NODE_FAIL", "BOOT_FAIL": "Nodes failed; run again once they are well."
        default: failure.map(\.remedy) ?? "See \(logPath), then run again; what was done is kept."
        }
      return RunError(.environment, stage: stage, subject: subject, cause: cause, remedy: remedy)
    }
  }

  // MARK: Orders of an earlier run

  /// Takes over what an earlier run, which was stopped, left under way.
  func adopt(_ state: inout State, _ pass: Pass) throws {
    guard !state.hasAdopted else { return }
    state.hasAdopted = true
    for name in try work.orders() {
      guard try !work.isClosed(name), let order = try? work.order(name) else { continue }
      if order.isManual != (scheduler == nil) { continue }
      let shares = try (1...max(1, order.shares)).compactMap { try work.share(name, $0) }
      guard shares.count == order.shares else { continue }
      state.orders.append(LiveOrder(name: name, order: order, shares: shares, job: try work.job(name)))
    }
    let jobs = state.orders.compactMap(\.job)
    if !jobs.isEmpty {
      pass.report(
        .note(stage: "", words: "An earlier run left jobs \(jobs.joined(separator: ", ")); their results count."))
    }
  }

  // MARK: New orders

  /// Has actions performed: an array, or several where one would be too large.
  func submit(
    _ keys: Set<Digest>, of share: StageShare, attempt: Int, _ resources: ExecutorOptions.Resources,
    _ state: inout State
  ) throws {
    let chosen = share.actions.filter { keys.contains($0.key.digest) }
    guard !chosen.isEmpty else { return }
    let described = try describe(chunks(chosen, share, single: attempt > 0), share)
    if state.largestArray == nil { state.largestArray = scheduler?.largestArray() ?? Int.max }
    let largest = state.largestArray!
    for start in stride(from: 0, to: described.count, by: largest) {
      let shares = Array(described[start..<min(start + largest, described.count)])
      let order = self.order(.actions, share, shares, attempt: attempt, resources)
      try place(order, shares, tasks: shares.count, after: [], share.pass, &state)
    }
  }

  /// Lets the folds that follow be made as soon as all tasks under way have ended well.
  func submitFolds(after share: StageShare, _ state: inout State) throws {
    guard !options.mergesHere, state.orders.allSatisfy({ $0.order.work != .folds || $0.isOver }) else { return }
    // Drops are read by then; where the next stage maps sources, there is nothing to fold yet.
    let later = share.pass.plan.stages.drop { $0.id != share.stage.id }.dropFirst()
    let next = later.first { if case .importing = $0.work { false } else { true } }
    guard case .folding? = next?.work else { return }
    let jobs = state.orders.filter { !$0.isOver }.compactMap(\.job)
    guard !jobs.isEmpty else { return }
    try submitFolds(
      try situation(share.pass, expecting: share.stage.id, state), share, attempt: 0, after: jobs, &state)
  }

  func submitFolds(
    _ known: WorkShare, _ share: StageShare, attempt: Int, after jobs: [String], _ state: inout State,
    _ loss: Loss? = nil
  ) throws {
    let resources = loss.map { grown($0.resources, $0.how) } ?? options.merge
    let order = order(.folds, share, [known], attempt: attempt, resources)
    try place(order, [known], tasks: nil, after: jobs, share.pass, &state)
  }

  private func order(
    _ work: WorkOrder.Work, _ share: StageShare, _ shares: [WorkShare], attempt: Int,
    _ resources: ExecutorOptions.Resources
  ) -> WorkOrder {
    WorkOrder(
      work: work, stage: share.stage.id, version: version, pipelinePath: Self.absolute(pipeline.path),
      pipelineText: Data(pipeline.text), shares: shares.count, tasks: shares.reduce(0) { $0 + $1.keys.count },
      attempt: attempt, isManual: scheduler == nil, resources: resources)
  }

  /// Writes an order down and submits it. In this order: a job without its order would be lost.
  private func place(
    _ order: WorkOrder, _ shares: [WorkShare], tasks: Int?, after: [String], _ pass: Pass, _ state: inout State
  ) throws {
    let name = try work.write(order, shares) { script(Self.absolute($0)) }
    var live = LiveOrder(name: name, order: order, shares: shares, wasDependent: !after.isEmpty)
    if let scheduler {
      let folder = Self.absolute(work.path(name))
      let job = BatchJob(
        name: Self.jobName(name), script: Path.join(folder, "job.sh"), folder: folder, tasks: tasks,
        resources: order.resources, attempt: order.attempt, after: after)
      do { live.job = try submit(job, scheduler, order.stage, pass) } catch {
        try? work.remove(name)
        throw error
      }
      try work.setJob(name, live.job!)
      let what =
        tasks.map { "\(order.tasks) sources as \($0) tasks" } ?? (after.isEmpty ? "folds" : "folds, after those tasks,")
      let again = order.attempt > 0 ? " (attempt \(order.attempt + 1))" : ""
      pass.report(.note(stage: order.stage, words: "\(what) submitted as job \(live.job!)\(again)"))
    }
    state.orders.append(live)
  }

  /// Waits for a controller that does not answer, which may have taken the job all the same.
  private func submit(_ job: BatchJob, _ scheduler: any BatchScheduler, _ stage: String, _ pass: Pass) throws -> String
  {
    let end = clock.uptime + .nanoseconds(Int64(options.patience * 1e9))
    var wasTold = false
    while true {
      let trouble: SchedulerError
      do throws(SchedulerError) { return try scheduler.submit(job) } catch { trouble = error }
      switch trouble {
      case .absent:
        throw RunError(
          .environment, stage: stage, cause: trouble.description,
          remedy: "Run where Slurm's commands are, or with --executor local or manual.")
      case .refused(let words):
        throw RunError(
          .pipeline, stage: stage, cause: "Slurm does not take the job: \(words).", remedy: Self.remedy(words))
      case .unreachable(let words), .full(let words):
        guard clock.uptime < end else {
          throw RunError(
            .environment, stage: stage, cause: "Slurm took no job for \(Int(options.patience)) s: \(words)",
            remedy: "Run again later; what was done is kept.")
        }
        if !wasTold {
          wasTold = true
          pass.report(.note(stage: stage, words: "Slurm does not take jobs now (\(words)); trying again."))
        }
        var wait = Duration.nanoseconds(Int64(options.poll * 1e9))
        try rest(&wait, pass, State())
        do throws(SchedulerError) {
          if let taken = try scheduler.tasks(named: [job.name]).first { return taken.job }
        } catch {}
      }
    }
  }

  private static func remedy(_ words: String) -> String {
    let lower = words.lowercased()
    for (sign, option) in [
      ("partition", "partition"), ("account", "account"), ("time limit", "time"), ("memory", "memory"),
      ("node configuration", "cpus' or 'memory"), ("cpu", "cpus"), ("qos", "sbatch"), ("option", "sbatch"),
    ] where lower.contains(sign) {
      return "Change '\(option)' under executor in the pipeline file."
    }
    return "Change the options under executor in the pipeline file."
  }

  /// Twice as much of what ran out.
  func grown(_ resources: ExecutorOptions.Resources, _ how: String?) -> ExecutorOptions.Resources {
    var grown = resources
    if how == "OUT_OF_MEMORY" { grown.megabytes = resources.megabytes.map { $0 * 2 } }
    if how == "TIMEOUT" { grown.minutes = resources.minutes.map { $0 * 2 } }
    return grown
  }

  /// The scheduler's name for an order.
  static func jobName(_ order: String) -> String { "sluice-" + order }

  // MARK: What goes into a share

  /// Deals actions to tasks so that each has about as many bytes to read: from the largest to the smallest,
  /// forwards and backwards in turn.
  private func chunks(_ actions: [PendingAction], _ share: StageShare, single: Bool) -> [[PendingAction]] {
    let size = single ? 1 : options.sourcesPerTask ?? (actions.count + 255) / 256
    let count = (actions.count + size - 1) / size
    let sizes = actions.map { share.bytes($0) }
    var chunks = [[Int]](repeating: [], count: count)
    let order = actions.indices.sorted { (sizes[$1], $0) < (sizes[$0], $1) }
    for (turn, index) in order.enumerated() {
      let place = turn % count
      chunks[(turn / count) % 2 == 0 ? place : count - 1 - place].append(index)
    }
    return chunks.map { $0.sorted().map { actions[$0] } }
  }

  private func describe(_ chunks: [[PendingAction]], _ share: StageShare) throws -> [WorkShare] {
    try chunks.map { actions in
      var described = WorkShare(keys: actions.map(\.key.digest))
      var sources: [Source] = []
      for action in actions {
        switch action.subject {
        case .units(let units): described.units.append(try describe(units[0], share.stage))
        case .source(let source): sources.append(source)
        case .all: preconditionFailure("a fold is not spread")
        }
      }
      if !sources.isEmpty { share.work.inputs.describe(sources, in: &described) }
      share.work.inputs.describe(attachmentsOf: share.stage.id, in: &described)
      return described
    }
  }

  private func describe(_ unit: DropUnit, _ stage: PlannedStage) throws -> UnitDescription {
    guard var description = unit.description else {
      throw RunError(.bug, stage: stage.id, cause: "\(unit.name) cannot be read by another process")
    }
    description.folder = Self.absolute(description.folder)
    return description
  }

  /// What another process must know to fold as this pass would; `expecting`: what is under way will be done.
  func situation(_ pass: Pass, expecting stage: String? = nil, _ state: State? = nil) throws -> WorkShare {
    let known = pass.known.withLock { $0 }
    let underWay = Set((state?.orders ?? []).filter { !$0.isOver }.map(\.order.stage)).union([stage].compactMap { $0 })
    var scans: [WorkShare.Situation.Scan] = []
    var attachments: [WorkShare.Situation.Attached] = []
    let unreadable = known.unreadable.map { WorkShare.Situation.Unreadable(key: $0.key, diagnostic: $0.value) }
      .sorted { $0.key < $1.key }
    for stage in pass.plan.stages {
      if let scan = known.scans[stage.id] {
        let units = try scan.units.map { try describe($0, stage) }
        let isDone =
          try known.finished.contains(stage.id) || underWay.contains(stage.id)
          || pass.finder.actions(stage, scan: scan).allSatisfy { $0.record != nil }
        scans.append(
          .init(stage: stage.id, units: units, problems: scan.problems, isDone: isDone, unreadable: unreadable))
      }
      do {
        attachments += try pass.runner.drops.attachments(stage).map {
          .init(stage: stage.id, path: $0.path, name: $0.name, bytes: Data($0.bytes))
        }
      } catch {
        throw RunError(
          .pipeline, stage: stage.id, cause: "\(error)", remedy: "A parameter of the stage names this file.")
      }
    }
    return WorkShare(situation: .init(scans: scans, attachments: attachments))
  }

  // MARK: Commands

  /// What a job runs.
  private func script(_ folder: String) -> String {
    """
    #!/bin/sh
    # One task of a sluice run; what it gives lies in the project's store. Safe to run twice.
    exec >> \(Self.quoted(Path.join(folder, "logs")))/"${SLURM_ARRAY_TASK_ID:-1}.log" 2>&1
    \(options.setup.map { $0 + "\n" }.joined())\
    exec \(command(folder)) "${SLURM_ARRAY_TASK_ID:-1}" --threads "${SLURM_CPUS_PER_TASK:-1}"

    """
  }

  private func command(_ folder: String) -> String {
    let program = options.program.isEmpty ? Self.ownProgram : options.program
    return "\(Self.quoted(program)) work \(Self.quoted(folder))"
  }

  private static var ownProgram: String {
    (try? PosixFileSystem().readSymbolicLink("/proc/self/exe")) ?? "sluice"
  }

  /// For a POSIX shell.
  static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        || [0x2D, 0x2E, 0x2F, 0x5F].contains($0)
    }
    return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
  }

  /// Commands for all shares that have no result.
  func workElsewhere(_ share: StageShare, _ state: State) throws -> RunError {
    var commands: [String] = []
    for order in state.orders where !order.isOver {
      let folder = Self.absolute(work.path(order.name))
      let done = try work.finishedShares(order.name)
      for number in 1...order.shares.count where !done.contains(number) {
        commands.append("\(command(folder)) \(number)")
      }
    }
    var error = RunError(
      .elsewhere, stage: share.stage.id, cause: "\(commands.count) commands are to be run.",
      remedy: "Run them on any machines that share these folders, then run again.")
    error.commands = commands
    return error
  }

  static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : Path.join(FileManager.default.currentDirectoryPath, path)
  }
}

extension StageShare {
  /// How much an action reads.
  func bytes(_ action: PendingAction) -> Int {
    switch action.subject {
    case .units(let units): units[0].files.reduce(0) { $0 + $1.size }
    case .source(let source):
      work.inputs.collections.reduce(0) { sum, input in
        sum + (input.collection.item(source.digest)?.artifact.parts.reduce(0) { $0 + $1.size } ?? 0)
      }
    case .all: 0
    }
  }
}
