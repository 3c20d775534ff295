// A configuration comes in, digests that find duplicates go out.

import Platform

extension Configuration {
  /// The digest of the very bits of species, positions, cell and periodicity, and of the labels if
  /// asked. Invariant to nothing: another atom order, a wrapped position or a last digit changes it.
  /// Provenance and properties do not enter.
  public func contentDigest(includingLabels: Bool = false) -> Digest {
    var builder = DigestBuilder()
    builder.add("configuration 1")
    builder.add(count)
    builder.update(species.map(\.atomicNumber))
    builder.add(positions.flatMap { [$0.x, $0.y, $0.z] })
    if let cell {
      builder.add(Self.components(cell.vectors))
      builder.add(Int(cell.periodic.rawValue))
    } else {
      builder.add("no cell")
    }
    guard includingLabels else { return builder.finish() }
    builder.add("labels")
    for energy in [labels.energy, labels.energyWithoutEntropy, labels.energySigmaZero] {
      builder.add(energy.map { [$0] } ?? [])
    }
    builder.add(labels.forces?.flatMap { [$0.x, $0.y, $0.z] } ?? [])
    builder.add(labels.stress.map(Self.components) ?? [])
    builder.add(labels.electronicallyConverged.map { $0 ? 1 : 0 } ?? 2)
    builder.add(labels.machineLearned ? 1 : 0)
    return builder.finish()
  }

  /// The digest of the structure on a grid of about `tolerance` Å: invariant to the order of atoms
  /// and to which periodic image of an atom is written. Not invariant to rotations, to shifts of all
  /// atoms or to another choice of the same lattice's vectors.
  ///
  /// Two equal digests mean structures that agree within one grid step per coordinate. Different
  /// digests prove nothing: positions closer than the step may lie on two sides of a grid border.
  /// (The borders lie off the simple fractions where atoms of perfect crystals sit.)
  public func structureDigest(tolerance: Double = 1e-3) -> Digest {
    precondition(tolerance > 0, "the tolerance is a length")
    var builder = DigestBuilder()
    builder.add("structure 1")
    builder.add(tolerance)
    builder.add(count)
    if let cell {
      builder.add(Self.components(cell.vectors).map { Self.step($0 / tolerance) })
      builder.add(Int(cell.periodic.rawValue))
    }
    var atoms = zip(species, positions).map { Site($0, bins($1, tolerance)) }
    atoms.sort()
    for atom in atoms {
      builder.add(Int(atom.element.atomicNumber))
      builder.add(atom.bins)
    }
    return builder.finish()
  }

  private func bins(_ position: Vector3, _ tolerance: Double) -> [Double] {
    guard let cell, let inverse = cell.vectors.inverse else {
      return (0..<3).map { Self.step(position[$0] / tolerance) }
    }
    let fractional = position * inverse
    return (0..<3).map { k in
      let steps = max(1, (length(cell.vectors[k]) / tolerance).rounded())
      let bin = Self.step(fractional[k] * steps)
      guard cell.periodic.contains(direction: k) else { return bin }
      let wrapped = bin - (bin / steps).rounded(.down) * steps
      return wrapped
    }
  }

  /// The grid step that a coordinate in units of steps falls into; never -0.
  private static func step(_ x: Double) -> Double { (x + 0.381_966_011_250_105).rounded(.down) + 0 }

  private static func components(_ m: Matrix3) -> [Double] {
    [m.x.x, m.x.y, m.x.z, m.y.x, m.y.y, m.y.z, m.z.x, m.z.y, m.z.z]
  }

  private struct Site: Comparable {
    let element: Element
    let bins: [Double]

    init(_ element: Element, _ bins: [Double]) {
      self.element = element
      self.bins = bins
    }

    static func < (a: Site, b: Site) -> Bool {
      if a.element != b.element { return a.element < b.element }
      for (x, y) in zip(a.bins, b.bins) where x != y { return x < y }
      return false
    }
  }
}
