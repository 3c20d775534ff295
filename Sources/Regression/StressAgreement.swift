import LinearAlgebra

/// Whether the stress labels of a set of rows say the same as its energies and forces.
///
/// Stresses from a plane-wave set too small for changing cells, or of another sign or unit, can be fitted only at the
/// cost of all else. What weight w the data themselves would give to stresses is told by the log evidence of the
/// weighted rows with the change of measure that makes evidences of differently weighted rows comparable (a density
/// of w·y over y is w as large for each row):
///
///     L(w) = ln p(weighted rows) + (number of stress rows) · ln w
///
/// Where L(w/32) is far above L(w/4), stresses are worse by more than eight times than what the fit reaches elsewhere.
/// With w itself nothing is compared: the evidence prefers somewhat less than 1 nearly everywhere.
public struct StressAgreement: Sendable, Equatable, Codable {
  /// What stresses that contradict the rest count of what they would count: as good as nothing to energies and forces,
  /// and enough for what shear stresses say.
  public static let reduction = 1.0 / 32
  /// What they are taken to be worth at least where they agree.
  public static let modest = 1.0 / 4
  /// By how much L must be greater for each stress row, nats. Of 10 or more configurations contradicting ones gain
  /// 15 to 60. Up to 3 are gained without any contradiction where a large basis meets few rows, since it then explains
  /// the rest exactly.
  public static let margin = 4.0

  /// L at `modest` and at `reduction`, but for the same constant.
  public let evidenceModest: Double
  public let evidenceReduced: Double
  public let stressRows: Int
  /// The model that is fitted with reduced stresses: shape [basis], and eV/atom by element.
  public let coefficients: [Double]
  public let referenceEnergies: [Double]

  /// What less weight gains for each stress row, nats.
  public var gain: Double { (evidenceReduced - evidenceModest) / Double(stressRows) }

  /// Whether stresses contradict the rest.
  public var contradicts: Bool { gain > Self.margin }

  /// - Parameters:
  ///   - rest: weighted rows of energies and forces, and of stresses that are in no question.
  ///   - stresses: rows of stresses at their full weight.
  ///   - references: one entry per element.
  /// - Returns: nil where either says nothing.
  public init?(
    rest: TriangularFactor, stresses: TriangularFactor, layout: ColumnLayout, references: ReferenceEnergies,
    prior: Prior
  ) throws {
    guard rest.rowCount > 0, stresses.rowCount > 0 else { return nil }
    func fit(_ share: Double) throws -> (fit: Fit, logEvidence: Double) {
      let fit = try Fit(
        .merge(rest, stresses.scaled(by: share)), layout: layout, references: references, prior: prior)
      return (fit, fit.logEvidence + Double(stresses.rowCount) * logarithm(share))
    }
    do {
      stressRows = stresses.rowCount
      evidenceModest = try fit(Self.modest).logEvidence
      let light = try fit(Self.reduction)
      evidenceReduced = light.logEvidence
      coefficients = light.fit.coefficients
      referenceEnergies = light.fit.referenceEnergies
    } catch RegressionError.noRows {
      return nil
    }
  }
}
