// Labelled rows of single sources come in; coefficients, ensembles and errors go out.
//
//   rows ─► SourceFactors ─► FactorTree ─► ReducedProblem ─► Fit ─► Ensemble
//           per source       merge path    E0 taken out      λ      members
//
// Nothing here ever holds the design matrix: each source is reduced to triangular factors once, and
// everything else is made of those.

/// Something the regression cannot work with.
public enum RegressionError: Error, Equatable, CustomStringConvertible {
  /// A row holds a number that is not finite.
  case notFinite(group: String, kind: RowKind)
  /// An encoded part is missing or does not fit the others.
  case malformed(String)
  /// The selection holds no row that tells anything of the basis.
  case noRows
  /// The same source twice.
  case duplicateSource(String)

  public var description: String {
    switch self {
    case .notFinite(let group, let kind): "a \(kind.rawValue) row of group '\(group)' is not finite"
    case .malformed(let what): "not an encoded factor: \(what)"
    case .noRows: "no labelled rows were selected, so there is nothing to fit"
    case .duplicateSource(let source): "source \(source) is listed twice"
    }
  }
}
