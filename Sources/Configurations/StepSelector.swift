// The steps of one trajectory come in one by one, in order; those that a rule keeps go out.

/// Applies a `StepSelection` to one trajectory. What it holds does not grow with the number of steps: one
/// step, and for `distance` a bounded number of surroundings.
public struct StepSelector {
  private let rule: StepSelection
  private let keepsLast: Bool
  /// The last step kept by a rule of change.
  private var reference: Configuration?
  /// The last step that may be kept, where it was not.
  private var pending: Configuration?
  private var environments: KnownEnvironments?

  /// Steps that were offered.
  public private(set) var offered = 0
  public private(set) var kept = 0
  /// Steps that a rule of change passed over, their electronic loop not having converged.
  public private(set) var unconverged = 0
  /// Steps that were kept because the rule could not judge them: what it compares is not there.
  public private(set) var unjudged = 0

  public init(_ selection: StepSelection) {
    if case .andLast(let inner) = selection {
      (rule, keepsLast) = (inner, true)
    } else {
      (rule, keepsLast) = (selection, selection == .last)
    }
    if case .every(let n) = rule { precondition(n > 0, "every n-th step needs n > 0") }
    if case .distance(let distance) = rule { environments = KnownEnvironments(distance: distance) }
  }

  /// Whether the step is kept. A last step that is kept for being the last comes out of `finish`.
  public mutating func take(_ configuration: Configuration) -> Bool {
    offered += 1
    let isKept: Bool
    switch rule {
    case .all: isKept = true
    case .first: isKept = offered == 1
    case .last: isKept = false
    case .every(let n): isKept = configuration.provenance.ionicStep % n == 0
    case .energy, .force, .forceRMS, .distance:
      if configuration.labels.electronicallyConverged == false {
        unconverged += 1
        return false
      }
      isKept = isNew(configuration)
    case .andLast: preconditionFailure("a rule is added to the last step once")
    }
    if isKept { kept += 1 }
    if keepsLast { pending = isKept ? nil : configuration }
    return isKept
  }

  /// The last step, where it is to be kept and was not.
  public mutating func finish() -> Configuration? {
    defer { pending = nil }
    if pending != nil { kept += 1 }
    return pending
  }

  private mutating func isNew(_ configuration: Configuration) -> Bool {
    if environments != nil {
      if let isNew = environments!.isNew(configuration) { return isNew }
      unjudged += 1
      return true
    }
    guard let change = change(of: configuration) else {
      unjudged += 1
      return true
    }
    let threshold: Double =
      switch rule {
      case .energy(let value), .force(let value), .forceRMS(let value): value
      default: .infinity
      }
    guard change > threshold else { return false }
    reference = configuration
    return true
  }

  /// How far the step is from the last one kept: infinitely, where there is none or it has other atoms.
  /// Nil where the step does not say.
  private func change(of configuration: Configuration) -> Double? {
    let labels = configuration.labels
    if case .energy = rule {
      guard let energy = labels.energy, energy.isFinite else { return nil }
      guard let reference, reference.species == configuration.species else { return .infinity }
      return abs(energy - reference.labels.energy!) / Double(max(1, configuration.count))
    }
    guard let forces = labels.forces, forces.allSatisfy(\.isFinite) else { return nil }
    guard let reference, reference.species == configuration.species else { return .infinity }
    let changes = zip(forces, reference.labels.forces!).map { $0 - $1 }
    if case .forceRMS = rule {
      let sum = changes.reduce(0) { $0 + $1.x * $1.x + $1.y * $1.y + $1.z * $1.z }
      return (sum / Double(max(1, 3 * changes.count))).squareRoot()
    }
    return changes.reduce(0) { max($0, abs($1.x), abs($1.y), abs($1.z)) }
  }
}

extension Vector3 {
  fileprivate var isFinite: Bool { x.isFinite && y.isFinite && z.isFinite }
}

extension StepSelector {
  /// What the user should hear of the steps of `source`: those that could not be judged or were passed over.
  public func diagnostics(of source: String) -> [Diagnostic] {
    var found: [Diagnostic] = []
    func counted(_ count: Int) -> String { count == 1 ? "1 step" : "\(count) steps" }
    if unconverged > 0 {
      found.append(
        Diagnostic(
          .warning, code: "unconverged", place: .init(file: source),
          cause: "\(counted(unconverged)) passed over: the electronic loop did not converge.",
          remedy: "Steps 'all' or 'every:N' take them too, marked as not converged."))
    }
    if unjudged > 0 {
      let missing =
        switch rule {
        case .energy: "no finite energy"
        case .force, .forceRMS: "no finite forces"
        default: "atoms that no neighbour list can be made of"
        }
      found.append(
        Diagnostic(
          .warning, code: "not-judged", place: .init(file: source),
          cause: "\(counted(unjudged)) kept without being compared: \(missing)."))
    }
    return found
  }
}
