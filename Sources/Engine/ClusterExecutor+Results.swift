import Configurations
import Platform
import StageKit

extension ClusterExecutor {
  /// What is known of the tasks that one call waits for.
  struct Collection {
    private let share: StageShare
    private let indices: [Digest: Int]
    private var found: [Digest: ActionResult] = [:]
    /// Tasks that were started as often as allowed.
    private(set) var lost: [Digest: Loss] = [:]
    private(set) var missing: Set<Digest>

    init(_ share: StageShare) {
      self.share = share
      // Keys of one stage differ: equal contents are one action.
      indices = Dictionary(uniqueKeysWithValues: share.tasks.enumerated().map { ($1.key, $0) })
      missing = Set(indices.keys)
    }

    mutating func take(_ key: Digest, _ result: ActionResult) {
      guard missing.remove(key) != nil else { return }
      found[key] = result
      lost[key] = nil
      share.tell(indices[key]!)
    }

    mutating func lose(_ key: Digest, _ loss: Loss) { if missing.contains(key) { lost[key] = loss } }

    /// In the order of the tasks, once none is missing that is not lost.
    func results(_ share: StageShare) throws -> [ActionResult] {
      if let index = share.tasks.indices.first(where: { lost[share.tasks[$0].key] != nil }) {
        var error = lost[share.tasks[index].key]!.error(share.stage.id, share.actions[index].label)
        if lost.count > 1 { error.cause += " (And \(lost.count - 1) more like it.)" }
        throw error
      }
      return share.tasks.map { found[$0.key]! }
    }
  }

  // MARK: Files

  /// Takes the results that have appeared; whether there were any. Throws what will go wrong every time.
  @discardableResult
  func collect(_ collection: inout Collection, _ share: StageShare, _ state: inout State) throws -> Bool {
    var isNew = false
    for index in state.orders.indices {
      let order = state.orders[index]
      guard !order.isOver, order.order.work == .folds || order.order.stage == share.stage.id else { continue }
      for number in try work.finishedShares(order.name).subtracting(order.taken).sorted()
      where (1...order.shares.count).contains(number) {
        // A damaged one counts as none; the share is then done again.
        guard let result = try work.result(order.name, number) else { continue }
        state.orders[index].taken.insert(number)
        state.orders[index].losses[number] = nil
        isNew = true
        for done in result.done { collection.take(done.key, done.result) }
        for account in result.accounts { share.pass.tally.add(account, isFold: order.order.work == .folds) }
      }
      try checkFailures(index, share, &state)
      if state.orders[index].isOver { try work.close(order.name) }
    }
    return isNew
  }

  private func checkFailures(_ index: Int, _ share: StageShare, _ state: inout State) throws {
    let order = state.orders[index]
    for (number, failure) in try work.failures(order.name).sorted(by: { $0.key < $1.key })
    where !order.taken.contains(number) && order.losses[number] == nil {
      let isPassing = failure.lost == nil && [.environment, .cancelled].contains(failure.kind)
      if isPassing && scheduler != nil { continue }
      withdraw(&state) { $0.order.work == .folds || $0.order.stage == share.stage.id }
      if let part = failure.lost { throw LostObject(part: part, stage: failure.stage ?? share.stage.id) }
      throw failure.error
    }
  }

  /// Ends orders that are no longer wanted.
  func withdraw(_ state: inout State, where isUnwanted: (LiveOrder) -> Bool) {
    let names = state.orders.filter { !$0.isOver && isUnwanted($0) }.map(\.name)
    // Jobs that cannot be withdrawn now find their orders gone later.
    do throws(SchedulerError) { try scheduler?.cancel(named: names.map(Self.jobName)) } catch {}
    for name in names { try? work.close(name) }
    state.orders.removeAll { names.contains($0.name) }
  }

  // MARK: The queue

  /// Asks the scheduler, not too often, which shares can still be hoped for, and starts the others again.
  func look(
    _ scheduler: any BatchScheduler, _ collection: inout Collection, _ share: StageShare, _ state: inout State
  ) throws {
    let now = clock.uptime
    let live = state.orders.filter { !$0.isOver }
    guard now >= state.nextLook, !live.isEmpty else { return }
    state.nextLook = now + .nanoseconds(Int64(options.poll * 1e9))
    let tasks: [BatchTask]
    do throws(SchedulerError) { tasks = try scheduler.tasks(named: live.map { Self.jobName($0.name) }) } catch {
      tellSilence(error, now, share, &state)
      return
    }
    if state.toldSilence { share.pass.report(.note(stage: share.stage.id, words: "Slurm answers again.")) }
    (state.silentSince, state.toldSilence) = (nil, false)
    let byName = Dictionary(grouping: tasks, by: \.name)
    for index in state.orders.indices where !state.orders[index].isOver {
      watch(&state.orders[index], byName[Self.jobName(state.orders[index].name)] ?? [], scheduler, now)
    }
    try startAgain(&collection, share, &state)
  }

  /// A controller that is silent for a moment is not worth a line.
  private func tellSilence(_ error: SchedulerError, _ now: Duration, _ share: StageShare, _ state: inout State) {
    let since = state.silentSince ?? now
    state.silentSince = since
    guard !state.toldSilence, now - since >= .nanoseconds(Int64(options.poll * 1e9)) else { return }
    state.toldSilence = true
    share.pass.report(
      .note(
        stage: share.stage.id,
        words: "Slurm does not answer (\(error)); results are taken as they come, nothing is started again."))
  }

  /// Notes which shares of an order have ended, and gives up those whose result did not appear.
  private func watch(_ order: inout LiveOrder, _ tasks: [BatchTask], _ scheduler: any BatchScheduler, _ now: Duration) {
    if order.job == nil { order.job = tasks.first?.job }
    let byNumber = Dictionary(grouping: tasks, by: \.number)
    let failures = (try? work.failures(order.name)) ?? [:]
    for number in 1...order.shares.count where !order.taken.contains(number) && order.losses[number] == nil {
      var how: String?
      var isAlive = false
      for task in byNumber[number] ?? [] {
        switch task.state {
        case .waiting, .running: isAlive = true
        case .ended(let word): how = word
        case .stuck(let word):
          how = word
          do throws(SchedulerError) { try scheduler.cancel(named: [task.name]) } catch {}
        }
      }
      if isAlive {
        order.ended[number] = nil
        continue
      }
      let since = order.ended[number]?.since ?? now
      order.ended[number] = (since, how ?? order.ended[number]?.how)
      // A result may take a while to be seen on this machine; that of a job that never was cannot come.
      guard now - since >= .nanoseconds(Int64(options.grace * 1e9)) || failures[number] != nil || order.job == nil
      else { continue }
      let word = order.ended[number]?.how ?? order.job.flatMap { scheduler.ending(job: $0, number: number) }
      order.losses[number] = Loss(
        job: order.job, number: number, how: word, failure: failures[number],
        logPath: work.logPath(order.name, number), lastLines: work.lastLines(order.name, number),
        attempts: order.order.attempt + 1, resources: order.order.resources)
    }
  }

  /// Starts what was lost again, one source in each task so that a bad one spoils no other.
  private func startAgain(_ collection: inout Collection, _ share: StageShare, _ state: inout State) throws {
    var again: [(keys: Set<Digest>, attempt: Int, resources: ExecutorOptions.Resources)] = []
    for order in state.orders where order.order.work == .actions && order.order.stage == share.stage.id {
      var byCause: [String: Set<Digest>] = [:]
      for (number, loss) in order.losses {
        for key in order.shares[number - 1].keys where collection.missing.contains(key) {
          // A task that was cut off has recorded what it had finished.
          let store = share.pass.runner.store
          if let record = try store.action(key), try record.parts.allSatisfy(store.contains) {
            collection.take(key, .recorded(record))
          } else if order.order.attempt >= options.retries {
            collection.lose(key, loss)
          } else if !state.orders.contains(where: { $0.isOpen(key) }) {
            byCause[loss.how ?? "", default: []].insert(key)
          }
        }
      }
      for (cause, keys) in byCause.sorted(by: { $0.key < $1.key }) {
        again.append((keys, order.order.attempt + 1, grown(order.order.resources, cause)))
      }
      if order.isOver { try work.close(order.name) }
    }
    for one in again { try submit(one.keys, of: share, attempt: one.attempt, one.resources, &state) }
    state.orders.removeAll { $0.isOver && $0.order.work == .actions && $0.order.stage == share.stage.id }
  }

  // MARK: The end of a pass

  /// Everything was used: orders go, and jobs that were only left over with them.
  func finish() throws {
    var left = state.withLock { $0 }
    withdraw(&left) { _ in true }
    state.withLock { $0 = State() }
    try work.removeAll()
  }
}

extension Tally {
  /// Tasks work side by side, so that only a fold's time is a time that passed.
  func add(_ account: WorkResult.Account, isFold: Bool) {
    update(account.stage) {
      $0.ran += account.ran
      if isFold { $0.secondsElsewhere = ($0.secondsElsewhere ?? 0) + account.seconds }
      for (name, count) in account.counters { $0.counters[name, default: 0] += count }
    }
  }
}
