import Configurations
import Platform
import TestSupport
import Testing
import TungstenReference

private let potential = FinnisSinclairTungsten()

private func energyPerAtom(_ a: Double) -> Double {
  let c = TungstenStructures.bulk(
    (1, 1, 1), strain: (a / FinnisSinclairTungsten.latticeConstant - 1) * Matrix3.identity)
  return potential.evaluate(c.positions, c.cell).energy / 2
}

/// Free clusters, cells smaller than the cutoff, skewed cells, cells open in some directions.
private func variety() -> [Configuration] {
  var random = RandomNumbers(seed: 61)
  var all: [Configuration] = []
  for cells in [(1, 1, 1), (2, 1, 1), (2, 2, 2)] {
    let strain = TungstenStructures.randomStrain(0.05, &random)
    all.append(
      TungstenStructures.displaced(
        TungstenStructures.bulk(cells, strain: strain), amplitude: 0.1, &random))
  }
  var skewed = all[0]
  skewed.cell!.vectors.y += 2 * skewed.cell!.vectors.x
  skewed.positions[0] += 3 * skewed.cell!.vectors.z
  all.append(skewed)
  all.append(TungstenStructures.cluster(count: 7, amplitude: 0.15, &random))
  var slab = TungstenStructures.displaced(
    TungstenStructures.surface100(layers: 3, width: 1), amplitude: 0.1, &random)
  slab.cell!.periodic = [.x, .y]
  all.append(slab)
  return all
}

@Suite struct FinnisSinclairTests {
  @Test func latticeConstantEnergyAndBulkModulus() {
    let a0 = FinnisSinclairTungsten.latticeConstant
    let energy = energyPerAtom(a0)
    #expect(abs(energy + 8.900002) < 1e-6)
    // The minimum is at a0 to the digits given: the energy rises on both sides, and the derivative
    // changes sign within 1e-5 Å.
    func slope(_ a: Double) -> Double { (energyPerAtom(a + 1e-5) - energyPerAtom(a - 1e-5)) / 2e-5 }
    #expect(slope(a0 - 2e-5) < 0 && slope(a0 + 2e-5) > 0)
    // B = V d2E/dV2 = (1 / 9V) d2E/ds2 with s = ln a, at the minimum; eV/Å^3 to GPa.
    let h = 1e-3
    let curvature =
      (energyPerAtom(a0 * (1 + h)) - 2 * energy + energyPerAtom(a0 * (1 - h))) / (h * h)
    let modulus = curvature / (9 * a0 * a0 * a0 / 2) * 160.21766208
    #expect(abs(modulus - 310.7) < 0.5)
  }

  @Test func forcesAreTheEnergysDerivative() {
    for (k, c) in variety().enumerated() {
      let forces = potential.evaluate(c.positions, c.cell).forces
      for atom in c.positions.indices {
        for axis in 0..<3 {
          let h = 1e-4
          func energy(_ step: Double) -> Double {
            var moved = c.positions
            moved[atom][axis] += step
            return potential.evaluate(moved, c.cell).energy
          }
          // Fourth order; second derivatives of the potential jump, so not better than h^2 there.
          let slope = (8 * (energy(h) - energy(-h)) - (energy(2 * h) - energy(-2 * h))) / (12 * h)
          #expect(abs(forces[atom][axis] + slope) < 2e-5, "case \(k) atom \(atom) axis \(axis)")
        }
      }
      #expect(length(forces.reduce(Vector3.zero, +)) < 1e-10, "case \(k)")
    }
  }

  @Test func stressIsTheDerivativeWithStrain() throws {
    for (k, c) in variety().enumerated() where c.cell?.periodic == .all {
      let stress = try #require(potential.label(c).labels.stress)
      for row in 0..<3 {
        for column in 0..<3 {
          func energy(_ h: Double) -> Double {
            var strain = Matrix3.identity
            strain[row, column] += h
            var cell = c.cell!
            cell.vectors = cell.vectors * strain
            return potential.evaluate(c.positions.map { $0 * strain }, cell).energy
          }
          let slope = (energy(1e-5) - energy(-1e-5)) / 2e-5
          #expect(
            abs(stress[row, column] - slope / c.cell!.volume) < 1e-6, "case \(k) \(row)\(column)")
          #expect(abs(stress[row, column] - stress[column, row]) < 1e-12)
        }
      }
    }
  }

  /// A cell smaller than the cutoff and its supercell have the same energy per atom.
  @Test func supercellsAgree() {
    var random = RandomNumbers(seed: 62)
    let small = TungstenStructures.displaced(
      TungstenStructures.bulk((1, 1, 1)), amplitude: 0.2, &random)
    var big = small
    for (a, b, c) in [(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)] {
      let shift = Vector3(Double(a), Double(b), Double(c)) * small.cell!.vectors
      big.species += small.species
      big.positions += small.positions.map { $0 + shift }
    }
    big.cell!.vectors = 2 * small.cell!.vectors
    let (one, eight) = (potential.label(small).labels, potential.label(big).labels)
    #expect(abs(8 * one.energy! - eight.energy!) < 1e-10)
    #expect(length(one.forces![1] - eight.forces![3]) < 1e-11)
  }

  /// A dimer, written out by hand from the formula.
  @Test func dimerByHand() {
    let r = 2.5
    let free = potential.label(
      Configuration(
        species: [FinnisSinclairTungsten.tungsten, FinnisSinclairTungsten.tungsten],
        positions: [[0, 0, 0], [0, r, 0]], cell: nil)
    ).labels
    let pair = (r - 3.25) * (r - 3.25) * (47.1346499 - 33.7665655 * r + 6.2541999 * r * r)
    // exp(-3) = 0.049787068367863944
    let core = 90.3 * (2.7411 - r) * (2.7411 - r) * (2.7411 - r) * 0.049787068367863944
    let expected = pair + core - 2 * 1.896373 * (4.400224 - r)
    #expect(abs(free.energy! - expected) < 1e-12)
    #expect(free.stress == nil)
    #expect(free.forces![0].y == -free.forces![1].y)
  }
}

@Suite struct TungstenStructureTests {
  @Test func countsAndDistances() {
    var random = RandomNumbers(seed: 71)
    let a0 = FinnisSinclairTungsten.latticeConstant
    let nearest = 3.0.squareRoot() / 2 * a0
    let perfect: [(Configuration, Int)] = [
      (TungstenStructures.bulk((2, 2, 3)), 24), (TungstenStructures.vacancies([3]), 53),
      (TungstenStructures.vacancies([0, 1]), 52), (TungstenStructures.surface100(layers: 9), 36),
      (TungstenStructures.surface110(layers: 5), 40),
      (TungstenStructures.gammaSurface(layers: 6, fraction: 0), 48),
      (TungstenStructures.gammaSurface(layers: 6, fraction: 1), 48),
    ]
    for (c, count) in perfect {
      #expect(c.count == count)
      #expect(abs(TungstenStructures.closestDistance(c) - nearest) < 1e-9)
    }
    #expect(
      TungstenStructures.closestDistance(TungstenStructures.gammaSurface(layers: 6, fraction: 0.5))
        > 2.3)
    let dipole = TungstenStructures.screwDipole()
    #expect(dipole.count == 36)
    #expect(TungstenStructures.closestDistance(dipole) > 2.3)
    for direction in [Vector3(1, 1, 0), Vector3(1, 1, 1)] {
      let c = TungstenStructures.dumbbell(along: direction)
      #expect(c.count == 55)
      #expect(TungstenStructures.closestDistance(c) > 2.05)
    }
    let cluster = TungstenStructures.cluster(count: 15, &random)
    #expect(cluster.count == 15 && cluster.cell == nil)
  }

  @Test func disorderedCellsAreDisorderedButNotBroken() {
    var random = RandomNumbers(seed: 72)
    let c = TungstenStructures.disordered(count: 16, &random)
    #expect(c.count == 16)
    #expect(TungstenStructures.closestDistance(c) >= 2.1)
    // Far above the crystal, yet bound.
    let energy = potential.label(c).labels.energy! / 16
    #expect(energy > -8.7 && energy < -6.5, "\(energy)")
    var again = RandomNumbers(seed: 72)
    #expect(TungstenStructures.disordered(count: 16, &again) == c)
  }

  @Test func defectsCostEnergy() {
    let perfect = -8.900002
    for (c, least, most) in [
      (TungstenStructures.vacancies([0], in: (2, 2, 2)), 2.0, 6.0),
      (TungstenStructures.surface100(layers: 5, width: 1), 3.0, 10.0),
      (TungstenStructures.dumbbell(along: [1, 1, 0]), 5.0, 60.0),
      (TungstenStructures.screwDipole(), 0.5, 20.0),
    ] {
      let excess = potential.label(c).labels.energy! - perfect * Double(c.count)
      #expect(excess > least && excess < most, "\(c.provenance.group ?? ""): \(excess)")
    }
  }

  /// Equipartition: the mean potential energy above the minimum is about 3/2 k T per atom.
  @Test func dynamicsIsThermal() {
    var random = RandomNumbers(seed: 73)
    let frames = TungstenDynamics.run(
      TungstenStructures.bulk((2, 2, 2)), kelvin: 300, frames: 12, interval: 10, settling: 60,
      &random)
    #expect(frames.count == 12)
    let mean = frames.map { $0.labels.energy! / 16 + 8.900002 }.reduce(0, +) / 12
    #expect(mean > 0.5 * 1.5 * 8.617e-5 * 300 && mean < 1.6 * 1.5 * 8.617e-5 * 300)
    var again = RandomNumbers(seed: 73)
    let same = TungstenDynamics.run(
      TungstenStructures.bulk((2, 2, 2)), kelvin: 300, frames: 1, interval: 10, settling: 60, &again
    )
    #expect(same[0] == frames[0])
  }
}

@Suite struct VASPRunTests {
  private func run() -> VASPRun {
    var random = RandomNumbers(seed: 81)
    let steps = (0..<2).map { _ in
      potential.label(
        TungstenStructures.displaced(
          TungstenStructures.bulk(
            (2, 1, 1), strain: TungstenStructures.randomStrain(0.02, &random)),
          amplitude: 0.1, &random))
    }
    return VASPRun(title: "test", kind: .relaxation, steps: steps)
  }

  private func numbers(_ line: Substring) -> [Double] {
    line.split { " <>\"=".contains($0) }.compactMap { DecimalNumber.parse($0) }
  }

  /// The printed digits are those of the labels, with VASP's sign and order of the stress.
  @Test func outcarHoldsTheLabels() throws {
    let run = run()
    let lines = String(decoding: run.outcar(), as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0].hasPrefix(" vasp.6.3.0") && lines[0].contains("not DFT"))
    #expect(lines.contains { $0.hasPrefix("   ions per type =") && numbers($0) == [4] })
    let energies = lines.filter { $0.contains("free  energy   TOTEN") }.map { numbers($0)[0] }
    let stresses = lines.filter { $0.contains("in kB") }.map { numbers($0) }
    let tables = lines.indices.filter { lines[$0].contains("TOTAL-FORCE") }
    #expect(energies.count == 2 && stresses.count == 2 && tables.count == 2)
    for (k, step) in run.steps.enumerated() {
      #expect(abs(energies[k] - step.labels.energy!) <= 0.5e-8 + 1e-12)
      let s = -1602.1766208 * step.labels.stress!
      let expected = [s.x.x, s.y.y, s.z.z, s.x.y, s.y.z, s.z.x]
      for (a, b) in zip(stresses[k], expected) { #expect(abs(a - b) <= 0.5e-5 + 1e-9) }
      for atom in 0..<4 {
        let row = numbers(lines[tables[k] + 2 + atom])
        #expect(row.count == 6)
        let force = step.labels.forces![atom]
        #expect(length(Vector3(row[3], row[4], row[5]) - force) < 1e-6)
        let cell = step.cell!.vectors
        var f = (Vector3(row[0], row[1], row[2]) - step.positions[atom]) * cell.inverse!
        for axis in 0..<3 { f[axis] -= f[axis].rounded() }
        #expect(length(f * cell) < 1e-5)
      }
    }
    #expect(lines.contains { $0.contains("General timing and accounting") })
  }

  @Test func vasprunHoldsTheLabels() throws {
    let run = run()
    let text = String(decoding: run.vasprun(), as: UTF8.self)
    #expect(text.hasSuffix("</modeling>\n") && text.contains("not DFT"))
    let lines = text.split(separator: "\n")
    let starts = lines.indices.filter { lines[$0] == "  <varray name=\"forces\" >" }
    let stresses = lines.indices.filter { lines[$0] == "  <varray name=\"stress\" >" }
    let bases = lines.indices.filter { lines[$0] == "    <varray name=\"basis\" >" }
    let energies = lines.filter { $0.hasPrefix("   <i name=\"e_fr_energy\"") }
    #expect(starts.count == 2 && stresses.count == 2 && bases.count == 2 && energies.count == 2)
    for (k, step) in run.steps.enumerated() {
      #expect(abs(numbers(energies[k])[0] - step.labels.energy!) <= 0.5e-8 + 1e-12)
      for atom in 0..<4 {
        let v = numbers(lines[starts[k] + 1 + atom])
        #expect(length(Vector3(v[0], v[1], v[2]) - step.labels.forces![atom]) < 1e-8)
      }
      for row in 0..<3 {
        let v = numbers(lines[stresses[k] + 1 + row])
        let s = -1602.1766208 * step.labels.stress![row]
        #expect(length(Vector3(v[0], v[1], v[2]) - s) < 2e-8)
        let b = numbers(lines[bases[k] + 1 + row])
        #expect(length(Vector3(b[0], b[1], b[2]) - step.cell!.vectors[row]) < 1e-8)
      }
    }
    // Every element that is opened is closed.
    var depth = 0
    for line in lines.dropFirst() where !line.contains("<!--") {
      depth += line.split(separator: "<").filter { !$0.hasPrefix("/") && $0.contains(">") }.count
      depth -= line.split(separator: "<").filter { $0.hasPrefix("/") }.count
      #expect(depth >= 0)
    }
    #expect(depth == 0)
  }

  @Test func trajectoriesAreReadBack() throws {
    let frames = (0..<3).map { k -> Configuration in
      var random = RandomNumbers(seed: UInt64(k))
      return TungstenStructures.displaced(
        TungstenStructures.bulk((2, 2, 1)), amplitude: 0.1, &random)
    }
    let dump = try StructureFile(
      MemoryByteSource(TrajectoryText.lammpsDump(frames)), name: "a.lammpstrj",
      elements: [1: FinnisSinclairTungsten.tungsten])
    #expect(dump.configurations.map(\.positions) == frames.map(\.positions))
    let xdatcar = try StructureFile(
      MemoryByteSource(TrajectoryText.xdatcar(frames, title: "W")), name: "XDATCAR")
    #expect(xdatcar.format == .xdatcar)
    for (a, b) in zip(xdatcar.configurations, frames) {
      let inverse = b.cell!.vectors.inverse!
      for (p, q) in zip(a.positions, b.positions) {
        var f = (p - q) * inverse
        for axis in 0..<3 { f[axis] -= f[axis].rounded() }
        #expect(length(f) < 1e-8)
      }
    }
  }
}
