import CKernels
import Configurations

/// Scratch memory of one thread's evaluations, reused from call to call.
public final class Workspace {
  var nodes = ScratchBuffer<Double>()
  var sums = ScratchBuffer<Double>()
  var neighborData = ScratchBuffer<Double>()
  var radialData = ScratchBuffer<Double>()
  var radialEnds = ScratchBuffer<Double>()
  var values = ScratchBuffer<Double>()
  var adjoints = ScratchBuffer<Double>()
  var pairs = ScratchBuffer<Double>()
  var panel = ScratchBuffer<Double>()
  var lane = ScratchBuffer<Double>()
  var slots = ScratchBuffer<Int32>()

  public init() {}
}

/// The neighbours of one atom that are of one element, as lanes of the kernels.
struct NeighborSegment {
  /// Lane of the atom in its block.
  let lane: Int
  let neighborElement: Int
  /// First entry in the block's arrays of neighbours.
  let start: Int
  let count: Int
  let padded: Int
  /// First entry in the block's arrays of radial functions.
  let radialStart: Int
}

/// A configuration prepared for evaluation: neighbour list, atoms by element, blocks of eight.
struct AtomBlocks {
  struct Block {
    let element: Int
    /// At most eight.
    let atoms: [Int]
  }

  let list: NeighborList
  /// Element index of each atom.
  let elements: [Int]
  let blocks: [Block]

  /// Some of the blocks.
  init(_ whole: AtomBlocks, _ blocks: [Block]) {
    (list, elements) = (whole.list, whole.elements)
    self.blocks = blocks
  }

  init(_ configuration: Configuration, basis: Basis) throws(ACEError) {
    var elements: [Int] = []
    for (atom, element) in configuration.species.enumerated() {
      guard let index = basis.index(of: element) else {
        throw .unknownElement(element, atom: atom)
      }
      elements.append(index)
    }
    do {
      list = try NeighborList(configuration, cutoff: basis.cutoff)
    } catch {
      throw .neighborList(error)
    }
    var blocks: [Block] = []
    for element in basis.elements.indices {
      let atoms = elements.indices.filter { elements[$0] == element }
      for start in stride(from: 0, to: atoms.count, by: 8) {
        blocks.append(
          Block(element: element, atoms: Array(atoms[start..<min(start + 8, atoms.count)])))
      }
    }
    self.elements = elements
    self.blocks = blocks
  }
}

/// The neighbours of a block of atoms with unit vectors and radial functions, and the block's
/// one-particle sums. Pointers live as long as the workspace is not used for something else.
struct BlockEnvironment {
  let segments: [NeighborSegment]
  /// Index into the neighbour list of each entry, -1 for padding.
  let sources: [Int32]
  /// Atom of each entry, -1 for padding.
  let atoms: [Int32]
  let x: UnsafeMutablePointer<Double>
  let y: UnsafeMutablePointer<Double>
  let z: UnsafeMutablePointer<Double>
  let inverse: UnsafeMutablePointer<Double>
  let distance: UnsafeMutablePointer<Double>
  let values: UnsafeMutablePointer<Double>
  let slopes: UnsafeMutablePointer<Double>
  /// Shape [components][8].
  let nodes: UnsafeMutablePointer<Double>

  /// Nearer than this (Å) no function is evaluated; LAMMPS' tables end there too.
  static let shortest = 1e-3

  init(
    _ block: AtomBlocks.Block, of atoms: AtomBlocks, program: ElementProgram, workspace: Workspace
  ) throws(ACEError) {
    let list = atoms.list
    var segments: [NeighborSegment] = []
    var sources: [Int32] = []
    var radialSize = 0
    for (lane, atom) in block.atoms.enumerated() {
      for element in program.bonds.indices {
        let start = sources.count
        let cutoff = program.bonds[element].bond.cutoff
        for source in list.offsets[atom]..<list.offsets[atom + 1] {
          let neighbor = list.neighbors[source]
          guard atoms.elements[Int(neighbor.index)] == element else { continue }
          if cutoff < list.cutoff, neighbor.distance >= cutoff { continue }
          sources.append(Int32(source))
        }
        let count = sources.count - start
        if count == 0 { continue }
        while sources.count % 8 != 0 { sources.append(-1) }
        let padded = sources.count - start
        segments.append(
          NeighborSegment(
            lane: lane, neighborElement: element, start: start, count: count, padded: padded,
            radialStart: radialSize))
        radialSize += padded * program.bonds[element].rowCount
      }
    }
    let size = sources.count
    let data = workspace.neighborData.reserve(5 * size)
    (x, y, z) = (data, data + size, data + 2 * size)
    (inverse, distance) = (data + 3 * size, data + 4 * size)
    values = workspace.radialData.reserve(2 * radialSize)
    slopes = values + radialSize
    nodes = workspace.nodes.reserve(8 * program.components)
    self.segments = segments
    self.sources = sources
    self.atoms = sources.map { $0 < 0 ? -1 : list.neighbors[Int($0)].index }
    try fill(list, block)
    for segment in segments {
      program.bonds[segment.neighborElement].evaluate(
        distance + segment.start, count: segment.count, padded: segment.padded,
        values: values + segment.radialStart, slopes: slopes + segment.radialStart,
        workspace: workspace)
    }
    sum(program, lanes: block.atoms.count, workspace)
  }

  private func fill(_ list: NeighborList, _ block: AtomBlocks.Block) throws(ACEError) {
    for segment in segments {
      for k in segment.start..<segment.start + segment.padded {
        guard sources[k] >= 0 else {
          // Padding points along z at a harmless distance; its radial functions are set to zero.
          (x[k], y[k], z[k]) = (0, 0, 1)
          (inverse[k], distance[k]) = (1, 1)
          continue
        }
        let neighbor = list.neighbors[Int(sources[k])]
        let r = neighbor.distance
        guard r >= Self.shortest else {
          throw .atomsTooClose(
            atom: block.atoms[segment.lane], neighbor: Int(neighbor.index), distance: r)
        }
        let u = neighbor.displacement / r
        (x[k], y[k], z[k]) = (u.x, u.y, u.z)
        (inverse[k], distance[k]) = (1 / r, r)
      }
    }
  }

  private func sum(_ program: ElementProgram, lanes: Int, _ workspace: Workspace) {
    let size = 8 * program.largestChannel
    let sums = workspace.sums.reserve(size)
    sums.update(repeating: 0, count: size)
    nodes.update(repeating: 0, count: 8 * program.leafComponents)
    var harmonics = sluice_ace_harmonics.standard
    for segment in segments {
      var neighbors = neighbors(segment)
      let channel = program.channels.pointer + segment.neighborElement
      let place = program.places[segment.neighborElement]
      sluice_ace_accumulate(channel, &harmonics, &neighbors, sums)
      sluice_ace_reduce(sums, Int32(place.count), place.pointer, Int32(segment.lane), nodes)
    }
  }

  func neighbors(_ segment: NeighborSegment) -> sluice_ace_neighbors {
    .init(
      x: x + segment.start, y: y + segment.start, z: z + segment.start,
      inverse: inverse + segment.start, g: values + segment.radialStart,
      dg: slopes + segment.radialStart, padded: Int32(segment.padded),
      stride: Int32(segment.padded))
  }
}
