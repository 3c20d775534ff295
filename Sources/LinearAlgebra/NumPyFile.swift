// Matrices as NumPy's .npy (version 1.0, little-endian, C order), so that other languages read them.

/// A file that is not a NumPy array of the kind we write.
public struct NumPyFormatError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Numbers that a .npy file can hold, with their NumPy type code.
public protocol NumPyScalar {
  static var numPyType: String { get }
}

extension Double: NumPyScalar { public static var numPyType: String { "<f8" } }
extension Int32: NumPyScalar { public static var numPyType: String { "<i4" } }
extension Int64: NumPyScalar { public static var numPyType: String { "<i8" } }

/// An n-dimensional array as stored in a .npy file.
public struct NumPyArray<Scalar: NumPyScalar & Sendable>: Sendable {
  public var shape: [Int]
  /// C order.
  public var values: [Scalar]

  public init(shape: [Int], values: [Scalar]) {
    precondition(shape.reduce(1, *) == values.count, "as many values as the shape has places")
    self.shape = shape
    self.values = values
  }

  /// The bytes of the .npy file.
  public var encoded: [UInt8] {
    let sizes = shape.map(String.init).joined(separator: ", ")
    let shapeText = shape.count == 1 ? "(\(sizes),)" : "(\(sizes))"
    var header = "{'descr': '\(Scalar.numPyType)', 'fortran_order': False, 'shape': \(shapeText), }"
    let padding = (64 - (10 + header.utf8.count + 1) % 64) % 64
    header += String(repeating: " ", count: padding) + "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]
    bytes += Array(header.utf8)
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }  // our machines are little-endian
    return bytes
  }

  /// Reads what `encoded` writes; refuses other types, Fortran order and wrong sizes.
  public init(decoding bytes: [UInt8]) throws(NumPyFormatError) {
    guard bytes.count >= 10, Array(bytes[0..<6]) == [0x93] + Array("NUMPY".utf8), bytes[6] == 1
    else {
      throw NumPyFormatError("not a NumPy .npy file, version 1")
    }
    let start = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
    guard bytes.count >= start else {
      throw NumPyFormatError(".npy header is cut off")
    }
    let header = String(decoding: bytes[10..<start], as: UTF8.self)
    guard header.contains("'\(Scalar.numPyType)'"), header.contains("'fortran_order': False") else {
      throw NumPyFormatError("expected \(Scalar.numPyType) in C order: \(header)")
    }
    guard let open = header.firstIndex(of: "("), let close = header[open...].firstIndex(of: ")")
    else { throw NumPyFormatError(".npy header has no shape") }
    var fields = header[header.index(after: open)..<close].split(
      separator: ",", omittingEmptySubsequences: false
    ).map { $0.drop { $0 == " " } }
    if fields.last?.isEmpty == true { fields.removeLast() }  // "(3,)" and "()"
    var shape: [Int] = []
    var count = 1
    for field in fields {
      guard field.allSatisfy({ $0.isASCII && $0.isNumber }), let size = Int(field) else {
        throw NumPyFormatError(".npy header has a bad shape")
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { throw NumPyFormatError(".npy shape overflows") }
      count = product
      shape.append(size)
    }
    let stride = MemoryLayout<Scalar>.stride
    guard (bytes.count - start) / stride == count, (bytes.count - start) % stride == 0 else {
      throw NumPyFormatError(
        ".npy holds \(bytes.count - start) bytes, not \(count) numbers of \(stride)")
    }
    self.shape = shape
    self.values = bytes.withUnsafeBytes { raw in
      [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
        UnsafeMutableRawBufferPointer(buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: raw[start...]))
        initialized = count
      }
    }
  }
}

extension Matrix {
  /// The bytes of a .npy file of shape (rows, columns).
  public var numPyBytes: [UInt8] { NumPyArray(shape: [rows, columns], values: storage).encoded }

  public init(numPyBytes bytes: [UInt8]) throws(NumPyFormatError) {
    let array = try NumPyArray<Double>(decoding: bytes)
    guard array.shape.count == 2 else {
      throw NumPyFormatError("expected two dimensions, found \(array.shape.count)")
    }
    self.init(rows: array.shape[0], columns: array.shape[1], storage: array.values)
  }
}
