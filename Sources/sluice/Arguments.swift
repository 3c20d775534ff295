// What the user typed, read strictly against one table that also prints the help.

import StageKit

/// An option of a command.
struct Option: Sendable {
  /// Long name without dashes.
  let name: String
  let short: Character?
  /// What stands for its value in the help; nil for a switch.
  let value: String?
  let help: String
  /// Whether it may be given several times.
  let repeats: Bool

  init(
    _ name: String, short: Character? = nil, value: String? = nil, repeats: Bool = false, _ help: String
  ) {
    self.name = name
    self.short = short
    self.value = value
    self.repeats = repeats
    self.help = help
  }
}

/// A command as it stands in the help.
struct Command: Sendable {
  let name: String
  /// "PIPELINE", "INPUT…".
  let operands: String
  /// How many operands there must be.
  let operandCount: ClosedRange<Int>
  let summary: String
  let options: [Option]
  let examples: [String]
  let run: @Sendable (Arguments) throws -> Int32
}

/// A command line that makes no sense; exit code 2.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Parsed options and operands.
struct Arguments: Sendable {
  private(set) var operands: [String] = []
  private var values: [String: [String]] = [:]

  /// Options may stand before, between and after operands; `--` ends them.
  init(_ words: [String], for command: Command) throws(UsageError) {
    var index = 0
    var onlyOperands = false
    while index < words.count {
      let word = words[index]
      index += 1
      guard !onlyOperands, word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      if word == "--" {
        onlyOperands = true
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard
        let option = command.options.first(where: {
          "--\($0.name)" == parts[0] || $0.short.map { "-\($0)" } == parts[0]
        })
      else {
        let known = command.options.map { "--\($0.name)" }
        throw UsageError(
          "unknown option '\(parts[0])' of 'sluice \(command.name)'" + didYouMean(parts[0], among: known))
      }
      if option.value == nil {
        guard parts.count == 1 else { throw UsageError("--\(option.name) takes no value") }
        values[option.name] = [""]
        continue
      }
      let value: String
      if parts.count == 2 {
        value = parts[1]
      } else if index < words.count {
        value = words[index]
        index += 1
      } else {
        throw UsageError("--\(option.name) needs a value: --\(option.name) \(option.value!)")
      }
      guard option.repeats || values[option.name] == nil else {
        throw UsageError("--\(option.name) is given twice")
      }
      values[option.name, default: []].append(value)
    }
    guard command.operandCount.contains(operands.count) else {
      throw UsageError("usage: sluice \(command.name) [options] \(command.operands)")
    }
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  func value(_ name: String) -> String? { values[name]?.last }

  /// All values of an option that repeats, in their order.
  func values(_ name: String) -> [String] { values[name] ?? [] }

  func integer(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw UsageError("--\(name) must be a whole number from \(range.lowerBound), not '\(text)'")
    }
    return number
  }

  func choice(_ name: String, of choices: [String]) throws(UsageError) -> String? {
    guard let text = value(name) else { return nil }
    guard choices.contains(text) else {
      throw UsageError("--\(name) must be one of \(choices.joined(separator: ", ")), not '\(text)'")
    }
    return text
  }
}

/// The help of one command or of the program.
enum Help {
  static func program(_ commands: [Command], version: String) -> String {
    let width = commands.map(\.name.count).max() ?? 0
    let lines = commands.map { "  \(pad($0.name, width))  \($0.summary.prefix { !$0.isNewline })" }
    return """
      sluice \(version): from dropped VASP runs to the structures worth computing next

      usage: sluice COMMAND [options] …

      \(lines.joined(separator: "\n"))

      sluice COMMAND --help tells more. Exit codes: 0 all went through, 1 error, 2 usage or pipeline
      file, 3 finished with inputs set aside, 75 another run holds the lock.
      """
  }

  static func command(_ command: Command) -> String {
    var text = "usage: sluice \(command.name) [options] \(command.operands)\n\n\(command.summary)\n"
    if !command.options.isEmpty {
      let left = command.options.map { option in
        (option.short.map { "-\($0), " } ?? "    ") + "--\(option.name)" + (option.value.map { " \($0)" } ?? "")
      }
      let width = left.map(\.count).max() ?? 0
      text += "\n" + zip(left, command.options).map { "  \(pad($0, width))  \($1.help)" }.joined(separator: "\n") + "\n"
    }
    if !command.examples.isEmpty {
      text += "\nexamples:\n" + command.examples.map { "  \($0)" }.joined(separator: "\n") + "\n"
    }
    return text
  }

  static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
