/// How numbers and names are written to potential files: no locale, fewest digits that restore the
/// value, the same bytes every time.
enum PotentialText {
  static func number(_ value: Double) -> String {
    let text = value.description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  static func list(_ values: [Double]) -> String {
    "[" + values.map(number).joined(separator: ", ") + "]"
  }

  static func list(_ values: [Int]) -> String {
    "[" + values.map(String.init).joined(separator: ", ") + "]"
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      default:
        // What YAML cannot hold in one line is dropped.
        if scalar.value >= 32, scalar.value != 127 { result.unicodeScalars.append(scalar) }
      }
    }
    return result + "\""
  }

  /// radcoefficients, shape [radialLimit][angularLimit + 1][functionCount].
  static func mixing(_ bond: Bond) -> String {
    let rows = (0..<bond.radialLimit).map { n in
      let parts = (0...bond.angularLimit).map { l in
        list((0..<bond.functionCount).map { bond.mixingCoefficient(n: n + 1, l: l, k: $0 + 1) })
      }
      return "[" + parts.joined(separator: ", ") + "]"
    }
    return "[" + rows.joined(separator: ", ") + "]"
  }
}

extension Bond {
  /// Reads radial functions as both file formats name them, up to their key names.
  static func reading(
    kind: String, node: YAMLNode, parameters: [Double], cutoff: Double, shell: Double,
    fields: (kind: String, cutoff: String, shell: String)
  ) throws(PotentialFileError) -> (RadialKind, [Double]) {
    func parameter() throws(PotentialFileError) -> Double {
      guard let first = parameters.first else {
        throw node.failure("radparameters", "\(kind) needs one")
      }
      return first
    }
    guard cutoff > 0 else { throw node.failure(fields.cutoff, "must be positive") }
    switch kind {
    case "SBessel", "TEST_SBessel": return (.sBessel, parameters)
    case "ChebExpCos":
      let lambda = try parameter()
      guard lambda > 0 else { throw node.failure("radparameters", "must be positive") }
      guard shell > 0 else { throw node.failure(fields.shell, "must be positive for ChebExpCos") }
      return (.chebExpCos(lambda: lambda, shell: shell), parameters)
    case "ChebPow":
      let lambda = try parameter()
      guard lambda >= 1 else { throw node.failure("radparameters", "must be at least 1") }
      return (.chebPow(lambda: lambda), parameters)
    case "ChebLinear": return (.chebLinear, parameters)
    default:
      if kind.hasPrefix("ACE.jl") {
        throw node.failure(fields.kind, "'\(kind)': radial functions of ACE.jl are not supported")
      }
      throw node.failure(
        fields.kind, "'\(kind)' is none of SBessel, ChebExpCos, ChebPow, ChebLinear")
    }
  }

  /// Refuses limits that no file in use has, under the names that the format gives them.
  func check(
    _ node: YAMLNode, cutoff: String, functions: String, radial: String, angular: String
  ) throws(PotentialFileError) {
    func refuse(_ field: String, _ cause: String) throws(PotentialFileError) {
      throw (try node.required(field)).failure(field, cause)
    }
    if self.cutoff > 100 { try refuse(cutoff, "must be at most 100 Å, not \(self.cutoff)") }
    if !(1...200).contains(functionCount) { try refuse(functions, "must lie in 1...200, not \(functionCount)") }
    if !(0...200).contains(radialLimit) { try refuse(radial, "must lie in 0...200, not \(radialLimit)") }
    if !(0...10).contains(angularLimit) { try refuse(angular, "must lie in 0...10, not \(angularLimit)") }
  }

  /// The mixing of a file, or nil where it is the identity.
  static func readingMixing(
    _ node: YAMLNode, radialLimit: Int, angularLimit: Int, functionCount: Int
  ) throws(PotentialFileError) -> [Double]? {
    let field = "radcoefficients"
    var values: [Double] = []
    var identity = radialLimit <= functionCount
    let shape = "must have shape [\(radialLimit)][\(angularLimit + 1)][\(functionCount)]"
    let rows = try node.items(field)
    guard rows.count == radialLimit else { throw node.failure(field, shape) }
    for (n, row) in rows.enumerated() {
      let parts = try row.items(field)
      guard parts.count == angularLimit + 1 else { throw row.failure(field, shape) }
      for part in parts {
        let coefficients = try part.doubles(field)
        guard coefficients.count == functionCount else { throw part.failure(field, shape) }
        for (k, c) in coefficients.enumerated() where c != (k == n ? 1 : 0) { identity = false }
        values += coefficients
      }
    }
    return identity ? nil : values
  }
}
