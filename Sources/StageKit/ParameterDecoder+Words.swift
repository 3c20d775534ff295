// Parameters in a small language of their own.

extension ParameterDecoder {
  /// Words of a small language, such as 'every:10'. `parse` refuses what means nothing; the value's description
  /// is its one canonical spelling. With `takesObject`, `{ ENCUT: 520 }` may stand for 'ENCUT=520'.
  public mutating func words<Value: CustomStringConvertible>(
    _ name: String, form: String, default fallback: Value, _ help: String,
    takesObject: Bool = false, _ parse: (String) throws(ParameterWordError) -> Value
  ) throws(ParameterError) -> Value {
    describe(name, form, Self.quoted("\(fallback)"), "", help)
    guard let member = find(name) else {
      record(name, Self.quoted("\(fallback)"))
      return fallback
    }
    let text: String
    switch member.value.content {
    case .text(let words): text = words
    case .object(let entries) where takesObject && !entries.isEmpty:
      var pairs: [String] = []
      for entry in entries { pairs.append("\(entry.key)=\(try scalar(entry.value))") }
      text = pairs.joined(separator: ", ")
    default: throw wrong(member, takesObject ? form : "text in quotes: \(form)")
    }
    let value: Value
    do throws(ParameterWordError) { value = try parse(text) } catch {
      throw ParameterError("\(path)\(name): \(error)", at: member.value.place)
    }
    record(name, Self.quoted("\(value)"))
    return value
  }

  private func scalar(_ value: ParameterValue) throws(ParameterError) -> String {
    switch value.content {
    case .text(let text): return text
    case .number(let number): return Self.text(number)
    case .logical(let flag): return flag ? "T" : "F"
    case .null, .list, .object: throw ParameterError("a number, true, false or text is expected", at: value.place)
    }
  }
}

/// Text of a parameter that means nothing.
public struct ParameterWordError: Error, Sendable, CustomStringConvertible {
  public let description: String

  /// `word`: what stands where one of `known` should.
  public init(_ message: String, word: String? = nil, known: [String] = []) {
    description = message + (word.map { didYouMean($0, among: known) } ?? "")
  }
}
