import Configurations
import Platform
import TestSupport

func bytes(_ text: String) -> MemoryByteSource { MemoryByteSource(Array(text.utf8)) }

func read(_ text: String, keys: LabelKeys = LabelKeys()) throws(Diagnostic) -> [Configuration] {
  var reader = ExtendedXYZReader(bytes(text), name: "t.xyz", keys: keys)
  return try reader.readAll()
}

func frame(_ comment: String, _ atoms: [String] = ["W 0 0 0"]) -> String {
  "\(atoms.count)\n\(comment)\n" + atoms.map { $0 + "\n" }.joined()
}

/// The diagnostic that reading `text` ends with, if any.
func failure(_ text: String, keys: LabelKeys = LabelKeys()) -> Diagnostic? {
  do {
    _ = try read(text, keys: keys)
    return nil
  } catch {
    return error
  }
}

/// A double with random bits, finite.
func anyDouble(_ generator: inout SeededGenerator) -> Double {
  while true {
    let value = Double(bitPattern: generator.next())
    if value.isFinite { return value }
  }
}

func plainDouble(_ generator: inout SeededGenerator) -> Double {
  Double.random(in: -10...10, using: &generator)
}

func anyVector(_ generator: inout SeededGenerator) -> Vector3 {
  Vector3(plainDouble(&generator), plainDouble(&generator), plainDouble(&generator))
}

/// A configuration with every label and kind of property, from a seed.
func richConfiguration(_ generator: inout SeededGenerator, atoms: Int) -> Configuration {
  let elements = ["W", "Re", "H"].map { Element(symbol: $0)! }
  let texts = [
    "plain", "two words", "5", "1 2 3", "T", "T F", "", "quo\"te", "back\\slash", "nan",
    "nan inf 1",
    "line\nfeed", "{1 2}", "[1, 2]", "größe", "a=b", "-1e5", "1,2", "\ttab",
  ]
  func text(_ generator: inout SeededGenerator) -> String {
    texts.randomElement(using: &generator)!
  }
  var labels = Labels(
    energy: anyDouble(&generator), energyWithoutEntropy: plainDouble(&generator),
    energySigmaZero: plainDouble(&generator),
    forces: (0..<atoms).map { _ in anyVector(&generator) },
    stress: Matrix3(anyVector(&generator), anyVector(&generator), anyVector(&generator)),
    electronicallyConverged: Bool.random(using: &generator),
    machineLearned: Bool.random(using: &generator))
  if Bool.random(using: &generator) { labels.electronicallyConverged = nil }
  return Configuration(
    species: (0..<atoms).map { _ in elements.randomElement(using: &generator)! },
    positions: (0..<atoms).map { _ in anyVector(&generator) },
    cell: Cell(
      vectors: Matrix3([9, 0.1, -0.0], [0, 8.25, 1e-17], [anyVector(&generator).x / 100, 0, 7]),
      periodic: Periodicity(rawValue: UInt8.random(in: 0...7, using: &generator))),
    labels: labels,
    provenance: Provenance(
      source: text(&generator), ionicStep: Int.random(in: 0...1000, using: &generator),
      group: text(&generator)),
    properties: [
      "note": .text(text(&generator)), "two words": .text(text(&generator)),
      "count": .integer(-7), "big": .integer(.min), "x": .real(plainDouble(&generator)),
      "whole": .real(3), "tiny": .real(.leastNonzeroMagnitude), "flag": .logical(true),
      "off": .logical(false),
      "list": .reals([1, -0.0, plainDouble(&generator)]), "one": .reals([2.5]), "none": .reals([]),
      "charge": .perAtomReals((0..<atoms).map { _ in plainDouble(&generator) }, columns: 1),
      "moment": .perAtomReals((0..<3 * atoms).map { _ in plainDouble(&generator) }, columns: 3),
      "tag": .perAtomIntegers(Array(0..<atoms), columns: 1),
      "site": .perAtomText((0..<2 * atoms).map { "s\($0)" }, columns: 2),
      "move_mask": .perAtomLogicals((0..<3 * atoms).map { $0 % 2 == 0 }, columns: 3),
    ])
}

/// Gives `bytes`, then fails.
final class FailingSource: ByteSource {
  struct Failure: Error {}
  private let bytes: MemoryByteSource

  init(after bytes: [UInt8]) { self.bytes = MemoryByteSource(bytes) }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = bytes.read(into: buffer)
    if count == 0 { throw Failure() }
    return count
  }
}
