/// A Cartesian vector: positions in Å, forces in eV/Å.
public typealias Vector3 = SIMD3<Double>

public func dot(_ a: Vector3, _ b: Vector3) -> Double { a.x * b.x + a.y * b.y + a.z * b.z }

public func cross(_ a: Vector3, _ b: Vector3) -> Vector3 {
  Vector3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}

public func length(_ a: Vector3) -> Double { dot(a, a).squareRoot() }

/// A 3×3 matrix by rows. For cells row i is lattice vector i; a Cartesian position is
/// `fractional.x * row0 + fractional.y * row1 + fractional.z * row2`.
public struct Matrix3: Sendable, Hashable {
  public var x: Vector3
  public var y: Vector3
  public var z: Vector3

  public init(_ x: Vector3, _ y: Vector3, _ z: Vector3) {
    self.x = x
    self.y = y
    self.z = z
  }

  public static let zero = Matrix3(.zero, .zero, .zero)
  public static let identity = Matrix3([1, 0, 0], [0, 1, 0], [0, 0, 1])

  public subscript(row: Int) -> Vector3 {
    get { row == 0 ? x : row == 1 ? y : z }
    set {
      switch row {
      case 0: x = newValue
      case 1: y = newValue
      default: z = newValue
      }
    }
  }

  public subscript(row: Int, column: Int) -> Double {
    get { self[row][column] }
    set { self[row][column] = newValue }
  }

  public var determinant: Double { dot(x, cross(y, z)) }

  public var transpose: Matrix3 {
    Matrix3([x.x, y.x, z.x], [x.y, y.y, z.y], [x.z, y.z, z.z])
  }

  /// The inverse, or nil where the matrix is singular.
  public var inverse: Matrix3? {
    let d = determinant
    guard d != 0, d.isFinite else { return nil }
    return Matrix3(cross(y, z) / d, cross(z, x) / d, cross(x, y) / d).transpose
  }

  /// Row vector times matrix: `v.x * row0 + v.y * row1 + v.z * row2`.
  public static func * (v: Vector3, m: Matrix3) -> Vector3 { v.x * m.x + v.y * m.y + v.z * m.z }

  public static func * (a: Matrix3, b: Matrix3) -> Matrix3 { Matrix3(a.x * b, a.y * b, a.z * b) }

  public static func * (s: Double, m: Matrix3) -> Matrix3 { Matrix3(s * m.x, s * m.y, s * m.z) }

  public static func + (a: Matrix3, b: Matrix3) -> Matrix3 {
    Matrix3(a.x + b.x, a.y + b.y, a.z + b.z)
  }
}
