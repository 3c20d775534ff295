// What the data hold and a fitted potential come in; where core repulsion takes over from ACE goes out.

import Configurations

/// Where ACE gives way to core repulsion: an atom's ACE energy fades while its repulsion grows from
/// `onset` to `onset + width`. All that the fit has seen lies before the onset.
public struct Handover: Sendable, Equatable {
  /// By element of the basis, eV.
  public let onsets: [Double]
  /// eV.
  public let width: Double

  /// - Parameter coreEnergies: the largest repulsion of an atom by element in the data, eV.
  public init(basis: Basis, coreEnergies: [String: Double], width: Double = Self.leastWidth) {
    // A little more than the data, so that rounding never fades what was fitted.
    onsets = basis.elements.map { 1.001 * (coreEnergies[$0.symbol] ?? 0) + 0.001 }
    self.width = width
  }

  /// Narrower fades bend the energy too sharply, eV.
  public static let leastWidth = 10.0
  static let largestWidth = 10_000.0

  /// Linear, one per element.
  public var embeddings: [Embedding] {
    onsets.map {
      Embedding(
        kind: .finnisSinclairShiftedScaled, terms: [(weight: 1, exponent: 1)], coreCutoff: $0 + width,
        coreWidth: width)
    }
  }

  /// Wide enough for this potential: as ACE fades, up to 15/8 · E/width of its energy E is lost for each eV
  /// that the repulsion grows, and the sum must still rise. Takes the largest ACE energy of the compression
  /// paths within the fade, twice.
  public func widened(for potential: Potential, _ evaluator: Evaluator) throws(ACEError) -> Handover {
    let bare = try Potential(
      basis: potential.basis, coefficients: potential.coefficients,
      referenceEnergies: potential.referenceEnergies)
    var samples: [(core: Double, ace: Double)] = []
    for path in CompressionPath.all(evaluator.basis.elements) {
      for distance in Evaluator.anchorDistances(path) {
        let configuration = path.configuration(nearest: distance)
        guard let core = try evaluator.repulsion(of: configuration) else { return self }
        let whole = try evaluator.evaluate(bare, configuration)
        for (atom, element) in configuration.species.enumerated() {
          let index = evaluator.basis.index(of: element)!
          samples.append(
            (
              core: core.energies[atom] - onsets[index],
              ace: whole.energies[atom] - core.energies[atom] - potential.referenceEnergies[index]
            ))
        }
      }
    }
    var width = width
    for _ in 0..<8 {
      let largest = samples.filter { $0.core > 0 && $0.core < width }.map(\.ace).max() ?? 0
      let wanted = min(3.75 * largest, Self.largestWidth)
      if wanted <= width { break }
      width = wanted
    }
    return Handover(onsets: onsets, width: (width * 10).rounded(.up) / 10)
  }

  private init(onsets: [Double], width: Double) {
    self.onsets = onsets
    self.width = width
  }
}
