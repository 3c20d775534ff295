import Configurations
import Glibc
import LinearAlgebra

/// What a potential says of a structure at one nearest-neighbour distance.
public struct ScanPoint: Sendable, Equatable {
  /// Å.
  public let distance: Double
  /// eV per atom, reference energies left out.
  public let energy: Double
  /// d energy/d distance, eV/Å per atom.
  public let slope: Double
}

/// A row that says how linear ACE bends a compression path, against what the core repulsion does there.
public struct AnchorRow: Sendable, Equatable {
  public let path: String
  /// "Al-Ti": the nearest elements.
  public let pair: String
  /// Nearest neighbours, Å.
  public let distance: Double
  /// The largest core repulsion of an atom of each of the path's elements, eV.
  public let coreEnergies: [String: Double]
  /// d(sum of B)/d ln distance over that of the core repulsion, negated; shape [columns]: times
  /// coefficients it is 1 where ACE takes away all of the repulsive force.
  public let values: [Double]

  public init(path: String, pair: String, distance: Double, coreEnergies: [String: Double], values: [Double]) {
    (self.path, self.pair, self.distance) = (path, pair, distance)
    (self.coreEnergies, self.values) = (coreEnergies, values)
  }

  /// The rows that the data do not speak of: where the pair is nearer than in the data, or an atom feels
  /// more repulsion; and not so far beyond that ACE is switched off anyway.
  public static func beyond(
    _ rows: [AnchorRow], shortestDistances: [String: Double], coreEnergies: [String: Double]
  ) -> [AnchorRow] {
    rows.filter { row in
      let known = row.coreEnergies.map { (own: $0.value, data: coreEnergies[$0.key] ?? 0) }
      return (row.distance < shortestDistances[row.pair] ?? .infinity || known.contains { $0.own > $0.data })
        && known.contains { $0.own < $0.data + Handover.largestWidth(onset: $0.data) }
    }
  }
}

extension Evaluator {
  /// Distances of nearest neighbours from contact to 0.3 of it, Å, falling by 5 % each.
  static func anchorDistances(_ path: CompressionPath) -> [Double] {
    var distances: [Double] = []
    var d = path.contact
    while d >= 0.3 * path.contact {
      distances.append(d)
      d *= 0.95
    }
    return distances
  }

  /// Rows of a compression path at all distances where the core repulsion of an atom lies between 0.01 and
  /// 300 eV: they depend on the basis alone. Empty without core repulsion.
  public func anchorRows(_ path: CompressionPath) throws(ACEError) -> [AnchorRow] {
    var rows: [AnchorRow] = []
    let workspace = Workspace()
    for distance in Self.anchorDistances(path) {
      let configuration = path.configuration(nearest: distance)
      guard let core = try repulsion(of: configuration) else { return [] }
      let force = -core.strainDerivative.trace
      guard core.energy > 0.01 * Double(configuration.count), force > 0 else { continue }
      if core.energies.min()! > 300 { break }
      let virial = try designRows(of: configuration, workspace: workspace).virial
      var energies: [String: Double] = [:]
      for (element, energy) in zip(configuration.species, core.energies) {
        energies[element.symbol] = max(energies[element.symbol] ?? 0, energy)
      }
      rows.append(
        AnchorRow(
          path: path.name, pair: PairRepulsion.key(path.pair.0, path.pair.1), distance: distance,
          coreEnergies: energies,
          values: (0..<basis.columnCount).map { (virial[0, $0] + virial[1, $0] + virial[2, $0]) / force }))
    }
    return rows
  }

  /// Where a potential does not repel atoms of a compression path although they are nearer than in the data:
  /// the first such distance of each path, down to 0.2 of contact. Pairs that the data lack are looked at
  /// from 0.8 of contact on.
  public func collapses(
    of potential: Potential, shortestDistances: [String: Double]
  ) throws(ACEError) -> [(path: String, distance: Double)] {
    var found: [(path: String, distance: Double)] = []
    for path in CompressionPath.all(basis.elements) {
      let pair = PairRepulsion.key(path.pair.0, path.pair.1)
      let first = min(shortestDistances[pair] ?? .infinity, 0.8 * path.contact)
      let last = 0.2 * path.contact
      guard first > last else { continue }
      var distances: [Double] = []
      for k in 0...40 {
        let distance = first * pow(last / first, Double(k) / 40)
        distances.append(distance)
        // Where ACE is switched off there is only repulsion, and it grows.
        if try isSwitchedOff(potential, path.configuration(nearest: distance)) { break }
      }
      let points = try scan(potential, path, distances: distances)
      if let worst = points.first(where: { !($0.slope < 0) }) { found.append((path.name, worst.distance)) }
    }
    return found
  }

  private func isSwitchedOff(_ potential: Potential, _ configuration: Configuration) throws(ACEError) -> Bool {
    guard let core = try repulsion(of: configuration) else { return false }
    return zip(configuration.species, core.energies).allSatisfy {
      $1 >= potential.embeddings[basis.index(of: $0)!].coreCutoff
    }
  }

  /// Energies and slopes along a path at these distances of nearest neighbours (Å).
  public func scan(
    _ potential: Potential, _ path: CompressionPath, distances: [Double]
  ) throws(ACEError) -> [ScanPoint] {
    let workspace = Workspace()
    var points: [ScanPoint] = []
    for distance in distances {
      let configuration = path.configuration(nearest: distance)
      let result = try evaluate(potential, configuration, workspace: workspace)
      let atoms = Double(configuration.count)
      let own = configuration.species.reduce(0) { $0 + potential.referenceEnergies[basis.index(of: $1)!] }
      points.append(
        ScanPoint(
          distance: distance, energy: (result.energy - own) / atoms,
          slope: result.strainDerivative.trace / distance / atoms))
    }
    return points
  }
}

extension Matrix3 {
  var trace: Double { x.x + y.y + z.z }
}
