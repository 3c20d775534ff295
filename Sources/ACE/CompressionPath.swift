// Elements come in; pairs and lattices whose atoms can be pushed together go out.

import Configurations

/// A structure with one length: the distance of nearest neighbours. What a potential does on it is what
/// happens to atoms that are pushed together.
public struct CompressionPath: Sendable, Equatable {
  /// "bcc W", "Al-Ti pair".
  public let name: String
  /// The two elements that are nearest to each other.
  public let pair: (Element, Element)
  /// Sum of the covalent radii, Å.
  public let contact: Double
  private let species: [Element]
  /// In units of the nearest-neighbour distance; no vectors for a free pair.
  private let positions: [Vector3]
  private let vectors: [Vector3]

  private init(
    _ name: String, _ pair: (Element, Element), _ species: [Element], _ positions: [Vector3], _ vectors: [Vector3] = []
  ) {
    self.name = name
    self.pair = pair
    contact = pair.0.covalentRadius + pair.1.covalentRadius
    (self.species, self.positions, self.vectors) = (species, positions, vectors)
  }

  /// Nearest neighbours at `distance`, Å.
  public func configuration(nearest distance: Double) -> Configuration {
    let cell =
      vectors.isEmpty
      ? nil : Cell(vectors: distance * Matrix3(vectors[0], vectors[1], vectors[2]))
    return Configuration(species: species, positions: positions.map { distance * $0 }, cell: cell)
  }

  /// Free pairs of all elements; bcc, fcc and diamond of each; B2 of every two.
  public static func all(_ elements: [Element]) -> [CompressionPath] {
    var paths: [CompressionPath] = []
    for (i, a) in elements.enumerated() {
      let bcc = 1 / 3.0.squareRoot()
      let fcc = 1 / 2.0.squareRoot()
      let face: [Vector3] = [[0, fcc, fcc], [fcc, 0, fcc], [fcc, fcc, 0]]
      paths.append(
        CompressionPath(
          "bcc \(a)", (a, a), [a], [.zero], [[-bcc, bcc, bcc], [bcc, -bcc, bcc], [bcc, bcc, -bcc]]))
      paths.append(CompressionPath("fcc \(a)", (a, a), [a], [.zero], face))
      // The distance of nearest neighbours in diamond is √3/4 of the cube's edge, in fcc √2/2.
      let wide = 4 / 3.0.squareRoot() * fcc
      paths.append(
        CompressionPath(
          "diamond \(a)", (a, a), [a, a], [.zero, [bcc, bcc, bcc]], face.map { wide * $0 }))
      for b in elements[i...] {
        paths.append(
          CompressionPath("\(a)-\(b) pair", (a, b), [a, b], [.zero, [1, 0, 0]]))
        guard a != b else { continue }
        let edge = 2 * bcc
        paths.append(
          CompressionPath(
            "B2 \(a)\(b)", (a, b), [a, b], [.zero, [bcc, bcc, bcc]],
            [[edge, 0, 0], [0, edge, 0], [0, 0, edge]]))
      }
    }
    return paths
  }

  public static func == (a: CompressionPath, b: CompressionPath) -> Bool { a.name == b.name }
}
