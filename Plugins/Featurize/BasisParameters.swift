import ACE
import Configurations
import StageKit

/// The basis as a pipeline file describes it.
public struct BasisParameters: Sendable {
  let cutoff: Double
  let order: Int
  let functions: Int
  let radial: RadialKind

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
  }

  public func specification(elements: [Element]) -> BasisSpecification {
    BasisSpecification(
      elements: elements, cutoff: cutoff, radial: radial, order: order, functionsPerElement: functions)
  }
}
