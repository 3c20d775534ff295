import Configurations
import Platform

/// A file that a stage's parameters name, with its content.
public struct Attachment: Sendable, Equatable {
  /// As the pipeline file names it: the file itself, or the folder it lies in.
  public let path: String
  /// The file's own name.
  public let name: String
  public let bytes: [UInt8]

  public init(path: String, name: String, bytes: [UInt8]) {
    self.path = path
    self.name = name
    self.bytes = bytes
  }
}

/// An input that was set aside.
public struct QuarantinedInput: Sendable, Codable, Equatable {
  public var stage: String
  /// The unit's or source's name.
  public var name: String
  public var diagnostic: Diagnostic

  public init(stage: String, name: String, diagnostic: Diagnostic) {
    self.stage = stage
    self.name = name
    self.diagnostic = diagnostic
  }
}
