import Configurations

/// What was left out of steps that are used nevertheless; the first ones are named.
struct StepRemarks {
  private var diagnostics: [Diagnostic] = []
  private var count = 0
  private static let named = 10

  /// A stress that was printed and could not be read.
  mutating func noteStress(_ place: Diagnostic.Place, _ reason: String) {
    count += 1
    guard count <= Self.named + 1 else { return }
    diagnostics.append(
      Diagnostic(
        .warning, code: "stress-unreadable", place: place,
        cause: count <= Self.named
          ? "the stress cannot be used: \(reason). The step has none."
          : "further steps have a stress that cannot be used; they have none.",
        remedy: "Look at the file there; copy it again from its origin if it was whole."))
  }

  /// What has been noted since this was asked last.
  mutating func take() -> [Diagnostic] {
    defer { diagnostics = [] }
    return diagnostics
  }
}
