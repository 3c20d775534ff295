import Configurations
import Platform

/// What a file is, told from its first bytes and never from its name.
public enum SourceFormat: String, Sendable, Codable {
  case vasprun
  case outcar
  /// vasprun.xml and OUTCAR of one run, read as one.
  case run
  /// Frames of a registered `FrameFormat`.
  case frames
  case oszicar
  case poscar
  case incar
  case kpoints
  case potcar
  case unknown

  /// Whether ionic steps or frames can come out of it.
  public var holdsConfigurations: Bool {
    self == .vasprun || self == .outcar || self == .run || self == .frames
  }

  /// Bytes that `init(head:)` wants to see.
  public static let headLength = 1 << 16

  /// Tells VASP's own files apart; `.unknown` for everything else.
  public init(head: [UInt8]) {
    self = head.withUnsafeBufferPointer { Self.tell($0) }
  }

  private static func tell(_ head: UnsafeBufferPointer<UInt8>) -> SourceFormat {
    let opening = UnsafeBufferPointer(rebasing: head[..<min(head.count, 6000)])
    if opening.behind("<modeling") != nil { return .vasprun }
    if opening.behind("<?xml") != nil,
      head.behind("<calculation>") != nil || head.behind("<atominfo>") != nil
    {
      return .vasprun
    }
    if head.has("vasp.", at: 0) || head.has(" vasp.", at: 0) {
      // What VASP prints on the terminal begins in the same way.
      return opening.behind("POSCAR found") != nil || opening.behind("entering main loop") != nil ? .unknown : .outcar
    }
    if opening.behind("parameters from PSCTR are:") != nil {
      return isOutcar(head) ? .outcar : .potcar
    }
    if isOutcar(head) { return .outcar }
    // The heads of a POTCAR's potentials, without the tables that are licensed.
    if begins(opening, "VRHFIN"), begins(opening, "TITEL") { return .potcar }
    let lines = opening.split(separator: 0x0A, maxSplits: 12, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    if lines.prefix(12).contains(where: isOszicarLine) { return .oszicar }
    if isPoscar(lines) { return .poscar }
    if isKPoints(lines) { return .kpoints }
    if isIncar(lines) { return .incar }
    return .unknown
  }

  private static func isOutcar(_ head: UnsafeBufferPointer<UInt8>) -> Bool {
    begins(head, "POSITION                                       TOTAL-FORCE (eV/Angst)")
      || begins(head, "FREE ENERGIE OF THE ION-ELECTRON")
      || head.behind("POTCAR:  ") != nil && head.behind("VRHFIN") != nil && begins(head, "ions per type")
      || begins(head, "Startparameter for this run:")
      || head.behind("- Iteration ") != nil && head.behind("LOOP:") != nil
      || begins(head, "energy  without entropy=")
  }

  /// Whether a line begins with `word`, blanks aside: programs that read such files have it in quotes.
  private static func begins(_ head: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
    var from = 0
    while let behind = head.behind(word, from: from) {
      var at = behind - word.utf8CodeUnitCount
      while at > 0, head[at - 1] == 0x20 { at -= 1 }
      if at == 0 || head[at - 1] == 0x0A { return true }
      from = behind
    }
    return false
  }

  /// An electronic iteration ("DAV:   3 ..."), or the line that closes an ionic step.
  private static func isOszicarLine(_ line: String) -> Bool {
    ["DAV:", "RMM:", "CGA:", "CG :", "DMP:", "SDA:", "EIG:"].contains { line.hasPrefix($0) }
      || line.contains(" F= ") && line.contains(" E0= ")
  }

  private static func numbers(_ line: String) -> [Double] {
    var found: [Double] = []
    for word in line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" }) {
      guard let value = DecimalScanner.number(word) else { break }
      found.append(value)
    }
    return found
  }

  private static func isPoscar(_ lines: [String]) -> Bool {
    guard lines.count >= 7, (1...3).contains(numbers(lines[1]).count) else { return false }
    return lines[2...4].allSatisfy { numbers($0).count >= 3 }
      && (!numbers(lines[5]).isEmpty || !numbers(lines[6]).isEmpty)
  }

  private static func isKPoints(_ lines: [String]) -> Bool {
    guard lines.count >= 4, numbers(lines[1]).count == 1,
      let letter = lines[2].first(where: { $0 != " " })
    else { return false }
    return "GgMmAaLlCcKkRr".contains(letter) && (numbers(lines[3]).count >= 1 || !lines[3].isEmpty)
  }

  private static func isIncar(_ lines: [String]) -> Bool {
    var assignments = 0
    for line in lines {
      let text = line.drop { $0 == " " || $0 == "\t" }
      if text.isEmpty || text.first == "#" || text.first == "!" || text.first == "\r" { continue }
      guard let equals = text.firstIndex(of: "=") else { continue }
      let name = text[..<equals].filter { $0 != " " && $0 != "\t" }
      if !name.isEmpty,
        name.allSatisfy({ $0.isASCII && ($0.isUppercase || $0.isNumber || $0 == "_") })
      {
        assignments += 1
      }
    }
    return assignments >= 1
  }
}

/// A format of labelled frames that another module reads (extended XYZ, for one).
public protocol FrameFormat {
  /// Whether a file that begins with `head` (at most `SourceFormat.headLength` bytes) is of this format.
  static func recognises(_ head: [UInt8]) -> Bool

  /// Reads all frames, handing each over as it is complete. `name` is what provenance and messages
  /// call the source.
  static func read(
    _ source: any ByteSource, name: String, deliver: (Configuration) throws(Diagnostic) -> Void
  ) throws(Diagnostic)
}
