import ACE
import Configurations
import StageKit

/// The basis as a pipeline file describes it.
public struct BasisParameters: Sendable {
  let cutoff: Double
  let order: Int
  let functions: Int
  let radial: RadialKind
  let repels: Bool
  let givenRepulsion: [String: PairRepulsion]

  public init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    cutoff = try parameters.number(
      "cutoff", default: 5.0, in: .between(1, 20), unit: "Å", "How far an atom sees its neighbours.")
    order = try parameters.integer(
      "order", default: 4, in: 1...6, "Largest number of neighbours in one function (body order less one).")
    functions = try parameters.integer("functions", default: 500, in: 1...20_000, "Basis functions per element.")
    let name = try parameters.choice(
      "radial", of: ["SBessel", "ChebExpCos"], default: "SBessel", "Radial functions.")
    let lambda = try parameters.number(
      "lambda", default: 5.25, in: .positive, "Exponential scaling of ChebExpCos; unused by SBessel.")
    radial = name == "SBessel" ? .sBessel : .chebExpCos(lambda: lambda)
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

  public func specification(elements: [Element]) -> BasisSpecification {
    let automatic = repels ? PairRepulsion.automatic(elements) : [:]
    return BasisSpecification(
      elements: elements, cutoff: cutoff, radial: radial, order: order, functionsPerElement: functions,
      repulsion: automatic.merging(givenRepulsion) { $1 })
  }
}
