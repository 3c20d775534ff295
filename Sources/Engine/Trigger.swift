// `when` of a stage comes in; whether the stage is due, or what it waits for, goes out.

import Configurations
import Platform
import StageKit

/// When a fold, and all stages after it, run: enough must have changed, and it must be time. No key holds it:
/// once the stage runs, its results are those of any other history.
public struct Trigger: Sendable, Equatable {
  /// Sources that came, went or changed since it last ran; nil where only the drift counts.
  public let sources: Int?
  /// Errors of new sources over those expected from which on it runs however few they are.
  public let drift: Double?
  /// Minutes between two runs, at least; 0 for any.
  public let every: Double
  /// Minutes of the day in UTC, ascending; empty for any time.
  public let at: [Int]

  /// Reads `when: { … }`.
  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    let drift = try parameters.number(
      "drift", default: 0, in: .notNegative,
      "Run as soon as the errors of new sources are this many times those of held-out data; 0 for not looking.")
    let sources = try parameters.integer(
      "sources", default: 0, in: 0...Int.max,
      "Run once so many sources came, went or changed; 0 for 1 without drift, and for any number with it.")
    every = try parameters.number(
      "every", default: 0, in: .between(0, 525_600), unit: "min", "At most once in this time; 0 for at once.")
    let times = try parameters.texts("at", default: [], "Only after these times of the day, UTC: ['06:00', '18:00'].")
    var minutes: [Int] = []
    for time in times {
      guard let minute = Self.minute(time) else {
        throw parameters.refuse("at", "must hold times such as '06:00', not '\(time)'")
      }
      minutes.append(minute)
    }
    at = Set(minutes).sorted()
    self.drift = drift > 0 ? drift : nil
    self.sources = sources > 0 ? sources : drift > 0 ? nil : 1
  }

  private static func minute(_ text: String) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (48...57).contains($0) } }),
      let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
    else { return nil }
    return 60 * hour + minute
  }

  /// The first moment after `last` at which it may run again.
  func next(after last: Timestamp) -> Timestamp {
    let earliest = last + .nanoseconds(Int64(every * 60e9))
    guard !at.isEmpty else { return earliest }
    let day: Int64 = 86_400_000_000_000
    let start = earliest.nanoseconds - ((earliest.nanoseconds % day) + day) % day
    // A time counts only once it lies after the last run.
    for offset in [0, day] {
      for minute in at {
        let moment = Timestamp(nanoseconds: start + offset + Int64(minute) * 60_000_000_000)
        if moment >= earliest, moment > last { return moment }
      }
    }
    return earliest
  }

  /// As a plan shows it.
  public var words: String {
    var amounts: [String] = []
    if let sources { amounts.append(sources == 1 ? "any change" : "\(sources) changed sources") }
    if let drift { amounts.append("errors of new sources above \(shown(drift)) times the held-out ones") }
    var text = amounts.joined(separator: " or ")
    if every > 0 { text += ", at most every \(shown(every)) min" }
    if !at.isEmpty {
      let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
      text += ", after " + at.map { "\(two($0 / 60)):\(two($0 % 60))" }.joined(separator: " or ") + " UTC"
    }
    return text
  }
}

/// What a run waits with, and for what.
public struct Waiting: Sendable, Codable, Equatable {
  /// The stage that is not due yet.
  public var stage: String
  /// "3 of 10 sources collected until the next refit".
  public var words: String
  /// When it is due whatever else happens; nil where something else must come first.
  public var until: Timestamp?
}

private func shown(_ value: Double) -> String {
  Int(exactly: value).map(String.init) ?? "\((value * 100).rounded() / 100)"
}

/// The notes that triggers keep: when a stage last ran, and what is waited for now.
enum TriggerNotes {
  static let waiting = "waiting"

  static func lastTime(_ stage: PlannedStage, _ store: any ActionStore) throws -> Timestamp? {
    try store.note("ran-" + stage.id).flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
      .map(Timestamp.init(nanoseconds:))
  }

  static func setLastTime(_ time: Timestamp, _ stage: PlannedStage, _ store: any ActionStore) throws {
    try store.setNote("ran-" + stage.id, Array(String(time.nanoseconds).utf8))
  }
}

extension Pass {
  /// What a stage that would run waits for; nil where it is due.
  func waiting(_ stage: PlannedStage, _ inputs: BoundInputs) throws -> Waiting? {
    guard let trigger = stage.trigger, let now = runner.now, !runner.ignoresTriggers,
      let last = try lastKeys(),
      let before = last.stage(stage.id), let known = before.action("all")
    else { return nil }
    // Another pipeline is no new data: what was asked for is done at once.
    for earlier in plan.stages {
      if last.stage(earlier.id)?.components != finder.stageKey(earlier).components { return nil }
      if earlier.id == stage.id { break }
    }
    let changes = Changes(inputs, before)
    guard !changes.all.isEmpty else { return nil }

    var parts: [String] = []
    var isEnough = trigger.sources.map { changes.all.count >= $0 } ?? false
    if !isEnough, let limit = trigger.drift {
      guard let drift = try drift(stage, inputs, changes.new, known) else {
        return nil  // What was given last time is gone: nothing tells that it still holds.
      }
      isEnough = drift.ratio > limit
      if !isEnough {
        parts.append("new sources are described well enough (\(drift.words); \(shown(limit)) times as much is due)")
      }
    }
    if !isEnough, let sources = trigger.sources {
      parts.insert("\(changes.all.count) of \(sources) sources collected until the next \(stage.id)", at: 0)
    }
    var until: Timestamp?
    // A moment in the future is another clock's.
    if let time = try TriggerNotes.lastTime(stage, runner.store), time <= now {
      let next = trigger.next(after: time)
      if next > now {
        parts.append(
          isEnough
            ? "\(changes.all.count) source\(changes.all.count == 1 ? "" : "s") collected; the next \(stage.id) is due at \(next)"
            : "not before \(next)")
        if isEnough { until = next }
      }
    }
    return parts.isEmpty ? nil : Waiting(stage: stage.id, words: parts.joined(separator: "; "), until: until)
  }

  /// Sources that differ from those of the last run.
  private struct Changes {
    var all: Set<Digest> = []
    /// Those that are there now.
    var new: Set<Digest> = []

    init(_ inputs: BoundInputs, _ before: StageKeys) {
      for input in inputs.collections {
        let changes = input.collection.members.changes(since: before.members(input.kind.rawValue))
        new.formUnion(changes.added + changes.changed)
        all.formUnion(changes.removed)
      }
      all.formUnion(new)
    }
  }

  private func drift(
    _ stage: PlannedStage, _ inputs: BoundInputs, _ new: Set<Digest>, _ known: [KeyComponent]
  ) throws -> Drift? {
    guard case .folding(let fold) = stage.work, let measuring = fold as? any DriftMeasuring else {
      return Drift(ratio: 0, words: "'\(stage.id)' cannot measure it")
    }
    let key = finder.stageKey(stage).key(known).digest
    guard let record = try runner.store.action(key) else { return nil }
    var collections: [ArtifactKind: [SourceArtifact]] = [:]
    for input in inputs.collections {
      collections[input.kind] = input.collection.items.filter { new.contains($0.source.digest) }.map {
        SourceArtifact(source: $0.source, artifact: $0.artifact)
      }
    }
    let context = StageContext(
      project: plan.project, elements: plan.elements, threads: runner.threads, objects: runner.store,
      checkCancellation: checkCancellation)
    do {
      return try measuring.drift(
        of: StageInputs(collections: collections), from: record.outputs.flatMap(\.artifacts), context)
        ?? Drift(ratio: 0, words: "they hold no labels")
    } catch let error as CancellationError {
      throw error
    } catch {
      return nil
    }
  }
}
