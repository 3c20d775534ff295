// What the data hold and a fitted potential come in; where core repulsion takes over from ACE goes out.

import Configurations

/// Where ACE gives way to core repulsion: an atom's ACE energy fades while its repulsion grows from
/// its element's onset over a width. All that the fit has seen lies before the onset.
public struct Handover: Sendable, Equatable {
  /// By element of the basis, eV.
  public let onsets: [Double]
  /// By element of the basis, eV.
  public let widths: [Double]

  /// - Parameter coreEnergies: the largest repulsion of an atom by element in the data, eV.
  public init(basis: Basis, coreEnergies: [String: Double]) {
    // A little more than the data, so that rounding never fades what was fitted.
    onsets = basis.elements.map { 1.001 * (coreEnergies[$0.symbol] ?? 0) + 0.001 }
    widths = onsets.map { _ in Self.leastWidth }
  }

  /// Narrower fades bend the energy too sharply, eV.
  public static let leastWidth = 10.0
  /// Wider ones would keep ACE where nothing holds it, eV.
  static func largestWidth(onset: Double) -> Double { onset + 2 * leastWidth }

  /// Linear, one per element.
  public var embeddings: [Embedding] {
    zip(onsets, widths).map { onset, width in
      Embedding(
        kind: .finnisSinclairShiftedScaled, terms: [(weight: 1, exponent: 1)], coreCutoff: onset + width,
        coreWidth: width)
    }
  }

  /// Wide enough for this potential: as ACE fades, up to 15/8 · E/width of its energy E is lost for each eV
  /// that the repulsion grows, and the sum must still rise. Takes the largest ACE energy of the compression
  /// paths within the fade, twice, as far as `largestWidth`.
  public func widened(for potential: Potential, _ evaluator: Evaluator) throws(ACEError) -> Handover {
    let bare = try Potential(
      basis: potential.basis, coefficients: potential.coefficients,
      referenceEnergies: potential.referenceEnergies)
    var samples: [(element: Int, core: Double, ace: Double)] = []
    for path in CompressionPath.all(evaluator.basis.elements) {
      for distance in Evaluator.anchorDistances(path) {
        let configuration = path.configuration(nearest: distance)
        guard let core = try evaluator.repulsion(of: configuration) else { return self }
        let beyond = zip(configuration.species, core.energies).map { element, energy in
          let onset = onsets[evaluator.basis.index(of: element)!]
          return energy >= onset ? (energy > onset + Self.largestWidth(onset: onset) ? 1 : 0) : -1
        }
        if beyond.allSatisfy({ $0 > 0 }) { break }
        if beyond.allSatisfy({ $0 < 0 }) { continue }
        let whole = try evaluator.evaluate(bare, configuration)
        for (atom, element) in configuration.species.enumerated() {
          let index = evaluator.basis.index(of: element)!
          samples.append(
            (
              element: index, core: core.energies[atom] - onsets[index],
              ace: whole.energies[atom] - core.energies[atom] - potential.referenceEnergies[index]
            ))
        }
      }
    }
    let suited = onsets.indices.map { element in
      var width = Self.leastWidth
      for _ in 0..<8 {
        let largest = samples.filter { $0.element == element && $0.core > 0 && $0.core < width }.map(\.ace).max() ?? 0
        let wanted = min(3.75 * largest, Self.largestWidth(onset: onsets[element]))
        if wanted <= width { break }
        width = wanted
      }
      return (width * 10).rounded(.up) / 10
    }
    return Handover(onsets: onsets, widths: suited)
  }

  private init(onsets: [Double], widths: [Double]) {
    (self.onsets, self.widths) = (onsets, widths)
  }
}
