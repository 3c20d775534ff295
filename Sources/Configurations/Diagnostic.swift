/// Something to tell the user about an input: place, cause and remedy.
public struct Diagnostic: Sendable, Equatable, Codable, Error, CustomStringConvertible {
  public enum Severity: String, Sendable, Codable {
    /// Worth saying; nothing was lost.
    case note
    /// Something was left out (an open step, a missing label); the rest was used.
    case warning
    /// The input could not be used and is set aside.
    case error
  }

  /// Where in the input.
  public struct Place: Sendable, Equatable, Codable {
    public var file: String
    public var member: String?
    public var line: Int?
    public var byte: Int?
    public var ionicStep: Int?

    public init(
      file: String = "", member: String? = nil, line: Int? = nil, byte: Int? = nil,
      ionicStep: Int? = nil
    ) {
      self.file = file
      self.member = member
      self.line = line
      self.byte = byte
      self.ionicStep = ionicStep
    }
  }

  public var severity: Severity
  /// A short stable name of the kind of trouble, for counting ("truncated", "not-finite").
  public var code: String
  public var place: Place
  /// What is wrong, in one sentence.
  public var cause: String
  /// What the user can do, in one sentence; empty where nothing need be done.
  public var remedy: String

  public init(
    _ severity: Severity, code: String, place: Place = Place(), cause: String, remedy: String = ""
  ) {
    self.severity = severity
    self.code = code
    self.place = place
    self.cause = cause
    self.remedy = remedy
  }

  /// "run7/OUTCAR:81234: step 12: forces for 63 of 64 atoms. Remedy." Control characters are escaped.
  public var description: String {
    var text = place.file
    if let member = place.member { text += "/" + member }
    if let line = place.line {
      text += ":\(line)"
    } else if let byte = place.byte {
      text += ": byte \(byte)"
    }
    if !text.isEmpty { text += ": " }
    if let step = place.ionicStep { text += "step \(step): " }
    text += cause
    if !remedy.isEmpty { text += " " + remedy }
    return String(
      text.unicodeScalars.map {
        $0.value < 32 || $0.value == 127 || (0x80..<0xA0).contains($0.value)
          ? "\\u{\(String($0.value, radix: 16))}" : String($0)
      }.joined())
  }
}
