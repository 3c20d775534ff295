// A plan, a store and settled drops go in; a publication and the record of the run come out.

import Configurations
import Platform
import StageKit
import Synchronization

/// Executes a plan over settled drops.
///
/// Every action (one unit, one source, one fold) is a pure function of its key, so a run executes
/// exactly the actions that have no valid result in the store. It can be stopped or fail anywhere:
/// the next run goes on from there and ends with the same bytes.
public struct Runner: Sendable {
  let plan: Plan
  let store: any ActionStore
  let drops: any DropProvider
  let executor: any Executor
  let threads: Int
  /// What time it is for triggers; nil where they are not asked.
  let now: Timestamp?
  /// Whether stages run that would wait.
  let ignoresTriggers: Bool

  /// - Parameters:
  ///   - threads: what a fold may use, and the default executor's width; 0 for all processors.
  ///   - now: for stages that wait for their time; without it no stage waits.
  ///   - ignoresTriggers: no stage waits, but when it ran is kept.
  public init(
    plan: Plan, store: any ActionStore, drops: any DropProvider, threads: Int = 0,
    executor: (any Executor)? = nil, now: Timestamp? = nil, ignoresTriggers: Bool = false
  ) {
    self.now = now
    self.ignoresTriggers = ignoresTriggers
    self.plan = plan
    self.store = store
    self.drops = drops
    self.threads = threads > 0 ? threads : availableProcessors()
    self.executor = executor ?? LocalExecutor(threads: threads)
  }

  /// One pass.
  ///
  /// - Parameters:
  ///   - checkCancellation: throws once the run is to stop; asked before each action and by stages.
  ///   - progress: called from any thread, one event at a time; must not wait for the run.
  public func run(
    checkCancellation: @escaping @Sendable () throws -> Void = {},
    progress: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) throws(RunError) -> RunOutcome {
    let events = Mutex(progress)
    let report: @Sendable (RunEvent) -> Void = { event in events.withLock { $0(event) } }
    var lost: Set<Digest> = []
    let tally = Tally()
    while true {
      do {
        return try Pass(
          runner: self, tally: tally, checkCancellation: checkCancellation, report: report
        ).run()
      } catch let error as LostObject {
        // What made the object runs again in the next pass; the rest is cached by then.
        guard lost.insert(error.part.digest).inserted else {
          throw RunError(
            .environment, stage: error.stage,
            cause:
              "object \(error.part.digest.short) (\(error.part.name)) is damaged again after it was made anew",
            remedy: "Check the disk that holds the store, then run again.")
        }
        report(.objectLost(error.part.name))
      } catch let error as RunError {
        throw error
      } catch is CancellationError {
        throw RunError(.cancelled, cause: "stopped; the same command goes on from here")
      } catch {
        // Stages' errors are wrapped where they are thrown, so this came from the store or the drops.
        throw RunError(.environment, cause: "\(error)")
      }
    }
  }

  /// Forgets that units whose name passes `matches` were set aside, so that the next run reads them
  /// again. Returns their names.
  public func retry(matching matches: (String) -> Bool = { _ in true }) throws(RunError) -> [String] {
    do {
      var names: [String] = []
      let finder = ActionFinder(plan: plan, store: store, threads: threads)
      for stage in plan.stages {
        guard case .importing = stage.work else { continue }
        for action in try finder.actions(stage, scan: try drops.scan(stage)) {
          guard case .units(let units) = action.subject, action.record?.isTroubled == true,
            let unit = units.first(where: { matches($0.name) })
          else { continue }
          try store.forget(action.key.digest)
          names.append(unit.name)
        }
      }
      return names
    } catch let error as RunError {
      throw error
    } catch {
      throw RunError(.environment, cause: "\(error)")
    }
  }
}

extension ActionRecord {
  /// Whether something of the input was set aside.
  var isTroubled: Bool { quarantine != nil || diagnostics.contains { $0.severity == .error } }
}
