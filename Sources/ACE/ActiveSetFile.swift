import Configurations
import LinearAlgebra

/// The `.asi` format: a NumPy `.npz` with one inverse active set per element. Members
/// are stored uncompressed, in C order: LAMMPS reads nothing else.
public struct ActiveSetFile: Sendable, Equatable {
  /// Inverse active sets by element, sorted by symbol; shape [functions][functions], row k belongs to
  /// function k in evaluator order.
  public var inverses: [(element: Element, inverse: Matrix)]

  public init(_ inverses: [(element: Element, inverse: Matrix)]) {
    self.inverses = inverses.sorted { $0.element.symbol < $1.element.symbol }
  }

  public static func == (a: ActiveSetFile, b: ActiveSetFile) -> Bool {
    a.inverses.elementsEqual(b.inverses) { $0.element == $1.element && $0.inverse == $1.inverse }
  }

  public func inverse(of element: Element) -> Matrix? {
    inverses.first { $0.element == element }?.inverse
  }

  /// One per element of a basis, as `Evaluator.grades` takes them.
  public func inverses(for basis: Basis) -> [Matrix?] { basis.elements.map(inverse(of:)) }

  public init(decoding bytes: [UInt8]) throws(PotentialFileError) {
    var found: [(element: Element, inverse: Matrix)] = []
    let members: [(name: String, bytes: [UInt8])]
    do { members = try NumPyArchive.decode(bytes) } catch { throw PotentialFileError(error.description) }
    for (name, content) in members {
      guard name.hasSuffix(".npy"), let element = Element(symbol: name.dropLast(4)) else {
        throw PotentialFileError(field: name, "is not an element with .npy behind it")
      }
      let matrix: Matrix
      do { matrix = try Matrix(numPyBytes: content) } catch {
        throw PotentialFileError(field: name, error.description)
      }
      guard matrix.rows == matrix.columns else {
        throw PotentialFileError(
          field: name, "must be square, not \(matrix.rows) × \(matrix.columns)")
      }
      guard !found.contains(where: { $0.element == element }) else {
        throw PotentialFileError(field: name, "is given twice")
      }
      found.append((element, matrix))
    }
    self.init(found)
  }

  /// The bytes of the file: the same for the same content.
  public var encoded: [UInt8] {
    NumPyArchive.encode(inverses.map { (name: "\($0.element.symbol).npy", bytes: $0.inverse.numPyBytes) })
  }
}
