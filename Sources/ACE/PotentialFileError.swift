import Configurations

/// A potential or active-set file that cannot be read, with the place and what is wrong there.
public struct PotentialFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// From 1; nil where the format has no lines.
  public let line: Int?
  /// The key or archive member concerned; empty for the file as a whole.
  public let field: String
  public let cause: String

  init(line: Int? = nil, field: String = "", _ cause: String) {
    self.line = line
    self.field = field
    self.cause = cause
  }

  public var description: String {
    (line.map { "line \($0): " } ?? "") + (field.isEmpty ? "" : "\(field): ") + cause
  }

  /// As something to tell the user about a file.
  public func diagnostic(file: String) -> Diagnostic {
    Diagnostic(
      .error, code: "bad-potential-file", place: .init(file: file, line: line),
      cause: field.isEmpty ? cause : "\(field): \(cause)",
      remedy: "Write the file again with the program that made it.")
  }
}
