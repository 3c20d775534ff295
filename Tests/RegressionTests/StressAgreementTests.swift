import Foundation
import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

/// L(w), against the density of the labels by dense matrices.
@Suite struct StressAgreementTests {
  private let basis = 6
  private let layout = ColumnLayout(basis: 6, elements: 1)
  /// Given, so that the density is one of the coefficients alone.
  private let references = ReferenceEnergies.given([-4])

  /// Rows of energies and forces, and of stresses whose targets are off by `shift` in every third component.
  private func rows(shift: Double, seed: UInt64 = 3) -> (rest: Matrix, stresses: Matrix) {
    var generator = SeededGenerator(seed: seed)
    func random() -> Double { Double.random(in: -1...1, using: &generator) }
    let truth = (0..<basis).map { _ in random() }
    func some(_ count: Int, composition: Double, off: (Int) -> Double) -> Matrix {
      Matrix(
        (0..<count).map { number in
          let row = (0..<basis).map { _ in random() }
          let target = zip(row, truth).reduce(-4 * composition) { $0 + $1.0 * $1.1 }
          return row + [composition, target + 0.01 * random() + off(number)]
        }, columns: layout.columns)
    }
    return (some(80, composition: 1) { _ in 0 }, some(30, composition: 0) { $0 % 6 < 3 ? shift : 0 })
  }

  private func agreement(_ rest: Matrix, _ stresses: Matrix, _ prior: Prior = .ridge) throws -> StressAgreement? {
    try StressAgreement(
      rest: TriangularFactor(rows: rest), stresses: TriangularFactor(rows: stresses), layout: layout,
      references: references, prior: prior)
  }

  /// ln N(y; 0, W⁻¹ (1/β + A Γ⁻² Aᵀ/α) W⁻¹) of the labels themselves, with W the weights of rows.
  private func logDensity(_ rest: Matrix, _ stresses: Matrix, share: Double) throws -> Double {
    let weighted = Matrix(
      (0..<rest.rows).map { rest.row($0) } + (0..<stresses.rows).map { stresses.row($0).map { share * $0 } },
      columns: layout.columns)
    let fit = try Fit(TriangularFactor(rows: weighted), layout: layout, references: references, prior: .ridge)
    let count = weighted.rows
    var covariance = Matrix(rows: count, columns: count)
    let weights = (0..<count).map { $0 < rest.rows ? 1 : share }
    for i in 0..<count {
      for j in 0..<count {
        var value = i == j ? 1 / fit.beta : 0
        for k in 0..<basis { value += weighted[i, k] * weighted[j, k] / (fit.alpha * fit.scales[k] * fit.scales[k]) }
        covariance[i, j] = value / (weights[i] * weights[j])
      }
    }
    let y = (0..<count).map { (weighted[$0, basis + 1] + 4 * weighted[$0, basis]) / weights[$0] }
    // Symmetric and positive: singular values are eigenvalues.
    let svd = try SingularValues(covariance)
    let along = svd.left.transposedTimes(y)
    let quadratic = zip(along, svd.values).reduce(0) { $0 + $1.0 * $1.0 / $1.1 }
    return -0.5 * (svd.values.reduce(0) { $0 + log($1) } + quadratic + Double(count) * log(2 * Double.pi))
  }

  @Test(arguments: [0, 0.4]) func evidencesAreThoseOfTheDensityOfTheLabels(_ shift: Double) throws {
    let (rest, stresses) = rows(shift: shift)
    let found = try #require(try agreement(rest, stresses))
    let modest = try logDensity(rest, stresses, share: StressAgreement.modest)
    let reduced = try logDensity(rest, stresses, share: StressAgreement.reduction)
    #expect(abs(found.evidenceModest - modest) < 1e-7 * abs(modest))
    #expect(abs(found.evidenceReduced - reduced) < 1e-7 * abs(reduced))
    #expect(found.stressRows == 30 && found.gain == (found.evidenceReduced - found.evidenceModest) / 30)
  }

  @Test func shiftedStressesContradictAndOthersDoNot() throws {
    for seed in 1...8 as ClosedRange<UInt64> {
      let same = rows(shift: 0, seed: seed)
      #expect(try agreement(same.rest, same.stresses)?.contradicts == false)
      let shifted = rows(shift: 4, seed: seed)
      #expect(try agreement(shifted.rest, shifted.stresses)?.contradicts == true)
    }
  }

  @Test func nothingIsComparedWithNothing() throws {
    let (rest, stresses) = rows(shift: 0)
    let none = Matrix(rows: 0, columns: layout.columns)
    #expect(try agreement(rest, none) == nil)
    #expect(try agreement(none, stresses) == nil)
    #expect(try agreement(Matrix(rows: 3, columns: layout.columns), Matrix(rows: 6, columns: layout.columns)) == nil)
  }
}
