// The words of a user come in ("every:10+last"), a rule that chooses steps of a trajectory goes out.

/// Which steps of a trajectory are kept. A trajectory is one run, or one file of frames.
///
/// Rules of change (`energy`, `force`, `forceRMS`, `distance`) keep the first step, and then each one that is
/// farther from what was kept than their threshold. They pass over steps whose electronic loop did not converge.
public indirect enum StepSelection: Sendable, Equatable {
  case all
  case first
  case last
  /// Those whose index is a multiple of this.
  case every(Int)
  /// |E - E of the last one kept|, eV per atom.
  case energy(Double)
  /// The largest change of a force component since the last one kept, eV/Å.
  case force(Double)
  /// The root mean square of these changes, eV/Å.
  case forceRMS(Double)
  /// The distance of its most unusual atom from all surroundings kept, see `EnvironmentDescriptor`; 0…√2.
  case distance(Double)
  /// What the rule keeps, and the last step. The rule is none of `all`, `last` and `andLast`.
  case andLast(StepSelection)

  /// Every form with what it means, for help texts.
  public static let forms: [(form: String, meaning: String)] = [
    ("all", "every step"),
    ("first, last", "one step"),
    ("every:N", "those whose number, from 0, is a multiple of N"),
    ("energy:X", "the energy changed by more than X eV/atom since the last step kept"),
    ("force:X", "a force component changed by more than X eV/Å since the last step kept"),
    ("force-rms:X", "the root mean square of these changes is more than X eV/Å"),
    ("distance:X", "an atom's surroundings differ by more than X (0 to 1.4) from all that were kept"),
    ("RULE+last", "what the rule keeps, and the last step"),
  ]

  /// All forms in one line.
  public static let syntax =
    "all | first | last | every:N | energy:X | force:X | force-rms:X | distance:X, each but all and last also with +last"
}

/// Words that name no rule.
public struct StepSelectionError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  /// A word that stands where a rule should, and those that could.
  public let unknownWord: String?
  public static let knownWords = ["all", "first", "last", "every", "energy", "force", "force-rms", "distance"]

  init(_ description: String, unknownWord: String? = nil) {
    self.description = description
    self.unknownWord = unknownWord
  }
}

extension StepSelection: CustomStringConvertible {
  /// Reads "all", "every:10", "energy:0.001+last" and so on.
  public init(words: String) throws(StepSelectionError) {
    let parts = words.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
    let rule = try Self.rule(parts[0])
    guard parts.count > 1 else {
      self = rule
      return
    }
    guard parts.count == 2, parts[1] == "last" else {
      throw StepSelectionError("'\(words)': only 'last' can be added with '+', as in every:10+last")
    }
    // Both hold the last step anyway.
    self = rule == .all || rule == .last ? rule : .andLast(rule)
  }

  private static func rule(_ text: String) throws(StepSelectionError) -> StepSelection {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let (word, value) = (parts[0], parts.count > 1 ? parts[1] : nil)
    switch (word, value) {
    case ("all", nil): return .all
    case ("first", nil): return .first
    case ("last", nil): return .last
    case ("all", _), ("first", _), ("last", _):
      throw StepSelectionError("'\(word)' takes no value, not '\(text)'")
    case ("every", _):
      guard let number = value.flatMap({ Int($0) }), number > 0 else {
        throw StepSelectionError("'\(text)': every:N needs a whole number N from 1, as every:10")
      }
      return .every(number)
    case ("energy", _): return .energy(try threshold(text, value, "eV/atom", example: "energy:0.001"))
    case ("force", _): return .force(try threshold(text, value, "eV/Å", example: "force:0.1"))
    case ("force-rms", _): return .forceRMS(try threshold(text, value, "eV/Å", example: "force-rms:0.05"))
    case ("distance", _):
      let distance = try threshold(text, value, "a relative distance", example: "distance:0.05")
      guard distance < EnvironmentDescriptor.largestDistance else {
        throw StepSelectionError(
          "'\(text)': no two surroundings are farther apart than 1.41; name a smaller distance, as distance:0.05")
      }
      return .distance(distance)
    default: throw StepSelectionError("'\(text)' is no rule for steps", unknownWord: word)
    }
  }

  private static func threshold(
    _ text: String, _ value: String?, _ unit: String, example: String
  ) throws(StepSelectionError) -> Double {
    // `Double` also knows "inf", "nan" and hexadecimal digits, which nobody means.
    let isPlain = value?.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) } ?? false
    guard isPlain, let number = value.flatMap(Double.init), number.isFinite, number > 0 else {
      throw StepSelectionError("'\(text)' needs a number above 0, \(unit), as \(example)")
    }
    return number
  }

  /// The words that give this rule; one spelling for each.
  public var description: String {
    switch self {
    case .all: "all"
    case .first: "first"
    case .last: "last"
    case .every(let n): "every:\(n)"
    case .energy(let change): "energy:\(change)"
    case .force(let change): "force:\(change)"
    case .forceRMS(let change): "force-rms:\(change)"
    case .distance(let distance): "distance:\(distance)"
    case .andLast(let rule): "\(rule)+last"
    }
  }
}
