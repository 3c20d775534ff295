import ACE
import Configurations
import StageKit
import TrainingRows

/// The basis as a pipeline file describes it.
public struct BasisParameters: Sendable {
  /// A file of chosen functions, which says all; empty for none.
  public let file: String
  let cutoff: Double
  let order: Int
  let functions: Int
  /// Selection by total degree in place of a number of functions.
  let degree: TotalDegree?
  let ordering: FunctionOrdering
  let isWide: Bool
  let elementsPerFunction: Int
  let radial: RadialKind
  let repels: Bool
  let givenRepulsion: [String: PairRepulsion]

  public init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    file = try parameters.text(
      "basis", default: "",
      "A file of functions that 'sluice fit --choose-from' chose; it says all of the basis, so nothing else is given.")
    if !file.isEmpty, let other = Self.names.first(where: { parameters.isGiven($0) }) {
      throw parameters.refuse(other, "is said by the file that 'basis' names: give one of them")
    }
    cutoff = try parameters.number(
      "cutoff", default: 5.0, in: .between(1, 20), unit: "Å", "How far an atom sees its neighbours.")
    order = try parameters.integer(
      "order", default: 4, in: 1...6, "Largest number of neighbours in one function (body order less one).")
    functions = try parameters.integer(
      "functions", default: 500, in: 1...20_000,
      "Basis functions per element, the simplest first; unused with degree.")
    let costs = try parameters.numbers(
      "costs", default: [2, 1, 5], in: .notNegative,
      "Which functions are simple: what one unit of n, one of l and each factor cost, in whole numbers; those of the "
        + "least sum are taken. Unused with degree.")
    guard costs.count == 3, let radial = Int(exactly: costs[0]), let angular = Int(exactly: costs[1]),
      let rank = Int(exactly: costs[2])
    else { throw parameters.refuse("costs", "must be three whole numbers") }
    ordering = FunctionOrdering(radial: radial, angular: angular, rank: rank)
    if let problem = ordering.problem { throw parameters.refuse("costs", "is refused: \(problem)") }
    isWide = try parameters.logical(
      "wide", default: false,
      "Larger n and l in functions of two neighbours and more, which costs time: for functions that data choose among.")
    let degrees = try parameters.numbers(
      "degree", default: [], in: .positive,
      "In place of functions: all functions with sum of n/radialWeight + l/angularWeight up to this; one entry for"
        + " all ranks or one for each.")
    let radialWeight = try parameters.number(
      "radialWeight", default: 1, in: .positive, "How much n is worth in the degree.")
    let angularWeight = try parameters.number(
      "angularWeight", default: 2.0 / 3, in: .positive, "How much l is worth in the degree.")
    if degrees.isEmpty {
      degree = nil
    } else {
      if parameters.isGiven("functions") {
        throw parameters.refuse("functions", "and degree exclude each other: give one of them")
      }
      let degree = TotalDegree(degrees, radialWeight: radialWeight, angularWeight: angularWeight)
      if let problem = degree.problem(order: order) { throw parameters.refuse("degree", "is refused: \(problem)") }
      self.degree = degree
    }
    elementsPerFunction = try parameters.integer(
      "elementsPerFunction", default: Self.anyNumber, in: 2...Self.anyNumber,
      "Most elements in one function, its centre's included: 2 where no structure has three elements.")
    self.radial = try Self.radial(&parameters)
    let repulsion = try parameters.choiceOrObjectsByName(
      "repulsion", of: ["auto", "none"], default: "auto",
      "Core repulsion of atoms that come closer than the data: by the elements alone, none, or by pair ('Al-Ti') as "
        + "each atom's prefactor · exp(-exponent r²)/r; pairs that are not named keep the automatic one."
    ) { (pair: inout ParameterDecoder) throws(ParameterError) in
      PairRepulsion(
        prefactor: try pair.number("prefactor", default: nil, in: .between(0, 1e6), unit: "eV Å", "0 for none."),
        exponent: try pair.number("exponent", default: nil, in: .between(0, 1000), unit: "1/Å²", "Of the decay."))
    }
    repels = repulsion.choice == "auto"
    givenRepulsion = repulsion.objects
    for pair in givenRepulsion.keys.sorted() {
      let symbols = pair.split(separator: "-").map(String.init)
      guard symbols.count == 2, symbols == symbols.sorted(), symbols.allSatisfy({ Element(symbol: $0) != nil }) else {
        throw parameters.refuse("repulsion", "'\(pair)' is no pair of elements in alphabetical order, such as 'Al-Ti'")
      }
    }
  }

  private static let names = [
    "cutoff", "order", "functions", "costs", "wide", "degree", "radialWeight", "angularWeight", "elementsPerFunction",
    "radial",
    "lambda", "repulsion",
  ]

  /// As many elements as a function of the largest order can have.
  private static let anyNumber = 7

  private static func radial(_ parameters: inout ParameterDecoder) throws(ParameterError) -> RadialKind {
    let name = try parameters.choice(
      "radial", of: ["SBessel", "ChebExpCos", "ChebPow"], default: "SBessel", "Radial functions.")
    let lambda = try parameters.number(
      "lambda", default: 5.25, in: .positive,
      "Exponential scaling of ChebExpCos, power of ChebPow (2 where it is not given); unused by SBessel.")
    switch name {
    case "ChebExpCos": return .chebExpCos(lambda: lambda)
    case "ChebPow":
      let power = parameters.isGiven("lambda") ? lambda : 2
      // Below 2 the slope jumps at the cutoff.
      guard power >= 2 else { throw parameters.refuse("lambda", "must be at least 2 for ChebPow") }
      return .chebPow(lambda: power)
    default: return .sBessel
    }
  }

  /// - Parameter attachments: what the stage was given of the files that its parameters name.
  public func specification(
    elements: [Element], attachments: [Attachment]
  ) throws(StageError) -> BasisSpecification {
    guard !file.isEmpty else { return specification(elements: elements) }
    guard attachments.count == 1, let content = attachments.first(where: { $0.path == file })?.bytes else {
      throw StageError("'\(file)' is no file.", remedy: "Name the basis.json of a 'sluice fit --choose-from'.")
    }
    return try BasisFile.specification(content, name: file, elements: elements)
  }

  /// The basis that the parameters describe, without a file.
  public func specification(elements: [Element]) -> BasisSpecification {
    let automatic = repels ? PairRepulsion.automatic(elements) : [:]
    return BasisSpecification(
      elements: elements, cutoff: cutoff, radial: radial, order: order,
      limits: isWide && degree == nil ? [BasisSpecification.Limits.wide.truncated(to: order)] : nil,
      functionsPerElement: degree == nil ? functions : nil, ordering: degree == nil ? ordering : .power,
      totalDegree: degree,
      elementsPerFunction: elementsPerFunction < Self.anyNumber ? elementsPerFunction : nil,
      repulsion: automatic.merging(givenRepulsion) { $1 })
  }
}
