import LinearAlgebra
import Testing

@Suite struct NumPyTests {
  private func file(_ header: String, _ data: [UInt8]) -> [UInt8] {
    [0x93] + Array("NUMPY".utf8) + [1, 0]
      + [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)] + Array(header.utf8) + data
  }

  @Test func bytesAreNumPys() {
    let bytes = Matrix([[1, 2, 3]]).numPyBytes
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }"
    #expect(bytes.count == 128 + 24)
    #expect(Array(bytes[0..<10]) == [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0])
    #expect(String(decoding: bytes[10..<10 + header.utf8.count], as: UTF8.self) == header)
    #expect(bytes[127] == 10)
    #expect(Array(bytes[128..<136]) == [0, 0, 0, 0, 0, 0, 0xF0, 0x3F])
  }

  @Test(arguments: [[0], [1], [3], [2, 3], [0, 4], [2, 1, 3], []])
  func roundTrip(_ shape: [Int]) throws {
    let count = shape.reduce(1, *)
    let doubles = NumPyArray(shape: shape, values: (0..<count).map { Double($0) / 3 })
    let read = try NumPyArray<Double>(decoding: doubles.encoded)
    #expect(read.shape == shape && read.values == doubles.values)
    let integers = NumPyArray(shape: shape, values: (0..<count).map { Int32($0) - 1 })
    #expect(try NumPyArray<Int32>(decoding: integers.encoded).values == integers.values)
    #expect(throws: NumPyFormatError.self) { try NumPyArray<Int64>(decoding: integers.encoded) }
    #expect(doubles.encoded.count % 64 == (count * 8) % 64)
  }

  @Test func extremeNumbersSurvive() throws {
    let values: [Double] = [
      .infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .nan,
    ]
    let bytes = NumPyArray(shape: [5], values: values).encoded
    let read = try NumPyArray<Double>(decoding: bytes).values
    #expect(read.map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func everyTruncationIsRefused() {
    let bytes = Matrix([[1, 2], [3, 4]]).numPyBytes
    for length in 0..<bytes.count {
      #expect(throws: NumPyFormatError.self, "\(length) bytes") {
        try Matrix(numPyBytes: Array(bytes[..<length]))
      }
    }
    #expect(throws: NumPyFormatError.self) { try Matrix(numPyBytes: bytes + [0]) }
  }

  @Test(arguments: [
    "{'descr': '<f8', 'fortran_order': True, 'shape': (1, 1), }",
    "{'descr': '>f8', 'fortran_order': False, 'shape': (1, 1), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,,1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (x, 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': )1, 1(, }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': ), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': False}", "", "\u{FFFD}",
  ])
  func malformedHeadersAreRefused(_ header: String) {
    #expect(throws: NumPyFormatError.self) {
      try Matrix(numPyBytes: file(header, [UInt8](repeating: 0, count: 8)))
    }
  }

  @Test func everyFlippedHeaderByteIsSafe() {
    let bytes = Matrix([[1, 2], [3, 4]]).numPyBytes
    for place in 0..<128 {
      for value in [0, 0x28, 0x29, 0x2C, 0x30, 0x39, 0x80, 0xFF] as [UInt8] {
        var bad = bytes
        bad[place] = value
        // Either refused, or read as the four numbers that are there.
        if let matrix = try? Matrix(numPyBytes: bad) {
          #expect(matrix.storage.count == 4, "byte \(place)")
        }
      }
    }
  }
}

struct NumPyArchiveBombTests {
  /// Entries that all name one member would unpack to the product of their number and its size.
  @Test func membersThatLieOverEachOtherAreRefused() throws {
    let content = [UInt8](repeating: 7, count: 1000)
    let one = NumPyArchive.encode([("a", content)])
    let entry = Array(one[one.ranges(of: [0x50, 0x4B, 1, 2])[0].lowerBound..<one.count - 22])
    func archive(entries: Int) -> [UInt8] {
      var bytes = Array(one[..<(one.count - 22 - entry.count)])
      let start = bytes.count
      for _ in 0..<entries { bytes += entry }
      let size = bytes.count - start
      func little(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      }
      return bytes + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + little(entries, 2) + little(entries, 2) + little(size, 4)
        + little(start, 4) + [0, 0]
    }
    #expect(try NumPyArchive.decode(archive(entries: 1)).map(\.bytes) == [content])
    #expect(throws: NumPyFormatError.self) { try NumPyArchive.decode(archive(entries: 2)) }
    #expect(throws: NumPyFormatError.self) { try NumPyArchive.decode(archive(entries: 60_000)) }
    // As many members as an archive really holds are read, empty ones too.
    let many = (0..<300).map { ("member \($0)", [UInt8](repeating: UInt8($0 & 255), count: $0 % 5)) }
    #expect(try NumPyArchive.decode(NumPyArchive.encode(many)).map(\.bytes) == many.map(\.1))
  }
}
