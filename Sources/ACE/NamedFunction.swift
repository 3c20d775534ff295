import Configurations

/// A basis function as files name it: elements by symbol, so that a person can read it.
struct NamedFunction: Codable, Sendable, CustomStringConvertible {
  let element: String
  /// Of the factors, as `n` and `l`; shape [rank].
  let neighbors: [String]
  let n: [Int]
  let l: [Int]
  /// Intermediate angular momenta, `L`; absent below rank 3.
  let couplings: [Int]?

  private enum CodingKeys: String, CodingKey {
    case element, neighbors, n, l
    case couplings = "L"
  }

  init(_ function: BasisFunction, elements: [Element]) {
    element = elements[function.centre].symbol
    neighbors = function.neighbors.map { elements[$0].symbol }
    (n, l) = (function.ns, function.ls)
    couplings = function.couplings.isEmpty ? nil : function.couplings
  }

  var description: String { "function n \(n), l \(l), L \(couplings ?? []) of \(element) with \(neighbors)" }
}

extension BasisFunction {
  /// nil where lengths disagree or an element is none of these; whether it can be coupled is for `Basis` to say.
  init?(_ named: NamedFunction, elements: [Element]) {
    let symbols = elements.map(\.symbol)
    let neighbors = named.neighbors.compactMap { symbols.firstIndex(of: $0) }
    guard let centre = symbols.firstIndex(of: named.element), (1...6).contains(named.n.count),
      neighbors.count == named.n.count, named.neighbors.count == named.n.count, named.l.count == named.n.count
    else { return nil }
    self.init(centre: centre, neighbors: neighbors, ns: named.n, ls: named.l, couplings: named.couplings ?? [])
  }
}
