/// A value of a pipeline file with the place where it stands.
public struct ParameterValue: Sendable, Equatable {
  public indirect enum Content: Sendable, Equatable {
    case null
    case logical(Bool)
    case number(Double)
    case text(String)
    case list([ParameterValue])
    /// In the order of the file.
    case object([Member])
  }

  public struct Member: Sendable, Equatable {
    public let key: String
    public let keyPlace: TextPlace
    public let value: ParameterValue

    public init(key: String, keyPlace: TextPlace, value: ParameterValue) {
      self.key = key
      self.keyPlace = keyPlace
      self.value = value
    }
  }

  public let content: Content
  public let place: TextPlace

  public init(_ content: Content, at place: TextPlace = TextPlace(line: 0, column: 0)) {
    self.content = content
    self.place = place
  }
}

/// A place in a text, both from 1.
public struct TextPlace: Sendable, Equatable, Hashable, Codable {
  public let line: Int
  public let column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}

/// A pipeline file that cannot be used, with its place.
public struct ParameterError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The pipeline file's name; filled in by who read it.
  public var file: String
  public let place: TextPlace
  /// Which stage, where one is concerned.
  public var stage: String?
  /// What is wrong and, where possible, what would be right ("did you mean 'cutoff'?").
  public let message: String

  public init(_ message: String, at place: TextPlace, stage: String? = nil, file: String = "") {
    self.message = message
    self.place = place
    self.stage = stage
    self.file = file
  }

  /// "copper.json5:5:17: stage 'featurize': cutoff must be > 0 (Å)"
  public var description: String {
    let prefix = file.isEmpty ? "" : "\(file):\(place.line):\(place.column): "
    return prefix + (stage.map { "stage '\($0)': " } ?? "") + message
  }
}
