import Configurations

/// What is said where another run begins in a file: the first ones are named, a file of more than any
/// user has is given up, so that no few bytes can cost a run's worth of work each.
enum SeveralRuns {
  static let named = 10
  static let most = 5_000

  /// - Parameters:
  ///   - earlier: runs before the one that begins.
  ///   - broken: how the one before it ended, nil where it is whole.
  static func note(earlier: Int, at place: Diagnostic.Place, broken: String?) -> Diagnostic? {
    guard earlier <= named + 1 else { return nil }
    let cause =
      earlier <= named
      ? "another run begins here" + (broken.map { "; \($0)." } ?? ".")
      : "another run begins here; further ones are not named."
    return Diagnostic(.note, code: "several-runs", place: place, cause: cause)
  }

  /// The error of a file with too many runs.
  static func refusal(earlier: Int, at place: Diagnostic.Place) -> Diagnostic? {
    guard earlier >= most else { return nil }
    return Diagnostic(
      .error, code: "too-many-runs", place: place, cause: "more than \(most) runs are in this file.",
      remedy: "Split it: one file for each run, or drop the folders that the runs come from.")
  }
}
