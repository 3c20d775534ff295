import CKernels
import Configurations

/// Scratch memory of one thread's evaluations, reused from call to call.
public final class Workspace {
  var nodes = ScratchBuffer<Double>()
  var sums = ScratchBuffer<Double>()
  var neighborData = ScratchBuffer<Double>()
  var neighborIndices = ScratchBuffer<Int32>()
  var radialData = ScratchBuffer<Double>()
  var radialEnds = ScratchBuffer<Double>()
  var values = ScratchBuffer<Double>()
  var adjoints = ScratchBuffer<Double>()
  var pairs = ScratchBuffer<Double>()
  var panel = ScratchBuffer<Double>()
  var lane = ScratchBuffer<Double>()
  var slots = ScratchBuffer<Int32>()
  var coreSlopes = ScratchBuffer<Double>()
  var coreFactors = ScratchBuffer<Double>()
  var memberCoefficients = ScratchBuffer<Float>()
  var memberWeights = ScratchBuffer<Float>()
  var memberForces = ScratchBuffer<Float>()
  var memberScratch = ScratchBuffer<Float>()
  var memberStrain = ScratchBuffer<Double>()
  var memberPairs = ScratchBuffer<sluice_ace_member_pair>()

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
  let elements: [Int32]
  let blocks: [Block]

  /// Some of the blocks.
  init(_ whole: AtomBlocks, _ blocks: [Block]) {
    (list, elements) = (whole.list, whole.elements)
    self.blocks = blocks
  }

  /// `threads`: for the neighbour list.
  init(_ configuration: Configuration, basis: Basis, threads: Int = 1) throws(ACEError) {
    var elements: [Int32] = []
    elements.reserveCapacity(configuration.count)
    for (atom, element) in configuration.species.enumerated() {
      guard let index = basis.index(of: element) else {
        throw .unknownElement(element, atom: atom)
      }
      elements.append(Int32(index))
    }
    do {
      list = try NeighborList(configuration, cutoff: basis.cutoff, threads: threads)
    } catch {
      throw .neighborList(error)
    }
    self.elements = elements
    blocks = Self.blocks(of: Array(configuration.species.indices), elements)
  }

  /// Blocks of some atoms, by element, in the order given.
  func blocks(of atoms: [Int]) -> [Block] { Self.blocks(of: atoms, elements) }

  private static func blocks(of atoms: [Int], _ elements: [Int32]) -> [Block] {
    var atomsOfElement: [[Int]] = []
    for atom in atoms {
      while atomsOfElement.count <= Int(elements[atom]) { atomsOfElement.append([]) }
      atomsOfElement[Int(elements[atom])].append(atom)
    }
    var blocks: [Block] = []
    for (element, atoms) in atomsOfElement.enumerated() {
      for start in stride(from: 0, to: atoms.count, by: 8) {
        blocks.append(
          Block(element: element, atoms: Array(atoms[start..<min(start + 8, atoms.count)])))
      }
    }
    return blocks
  }
}

/// The neighbours of a block of atoms with unit vectors and radial functions, and the block's
/// one-particle sums. Pointers live as long as the workspace is not used for something else.
struct BlockEnvironment {
  let segments: [NeighborSegment]
  /// Index into the neighbour list of each entry, -1 for padding.
  let sources: UnsafeMutablePointer<Int32>
  /// Atom of each entry, -1 for padding.
  let atoms: UnsafeMutablePointer<Int32>
  let x: UnsafeMutablePointer<Double>
  let y: UnsafeMutablePointer<Double>
  let z: UnsafeMutablePointer<Double>
  let inverse: UnsafeMutablePointer<Double>
  let distance: UnsafeMutablePointer<Double>
  let values: UnsafeMutablePointer<Double>
  /// Derivatives of the radial functions, undefined where not asked for.
  let slopes: UnsafeMutablePointer<Double>
  /// Derivatives of the core repulsion, undefined where no bond of the centre repels.
  let coreSlopes: UnsafeMutablePointer<Double>
  /// Shape [components][8].
  let nodes: UnsafeMutablePointer<Double>

  /// Nearer than this (Å) no function is evaluated; LAMMPS' tables end there too.
  static let shortest = 1e-3

  /// `gradients`: whether derivatives will be asked for.
  init(
    _ block: AtomBlocks.Block, of atoms: AtomBlocks, program: ElementProgram, gradients: Bool,
    workspace: Workspace
  ) throws(ACEError) {
    try self.init(geometryOf: block, of: atoms, program: program, workspace: workspace)
    for (element, bond) in program.bonds.enumerated() {
      for segment in segments where segment.neighborElement == element {
        bond.evaluate(
          distance + segment.start, count: segment.count, padded: segment.padded,
          values: values + segment.radialStart, slopes: gradients ? slopes + segment.radialStart : nil,
          workspace: workspace)
      }
    }
    sum(program, workspace)
  }

  /// Where the neighbours are; radial functions and sums are left undefined.
  init(
    geometryOf block: AtomBlocks.Block, of atoms: AtomBlocks, program: ElementProgram, workspace: Workspace
  ) throws(ACEError) {
    let list = atoms.list
    var size = 0
    for atom in block.atoms {
      // Each element's neighbours are padded by themselves.
      size += list.offsets[atom + 1] - list.offsets[atom] + 8 * program.bonds.count
    }
    size = (size + 7) / 8 * 8
    let data = workspace.neighborData.reserve(5 * size)
    (x, y, z) = (data, data + size, data + 2 * size)
    (inverse, distance) = (data + 3 * size, data + 4 * size)
    self.atoms = workspace.neighborIndices.reserve(2 * size)
    sources = self.atoms + size
    segments = try Self.gather(block, atoms, program, x, y, z, inverse, distance, self.atoms, sources)
    let radialSize = segments.last.map { $0.radialStart + $0.padded * program.bonds[$0.neighborElement].rowCount } ?? 0
    values = workspace.radialData.reserve(2 * radialSize)
    slopes = values + radialSize
    coreSlopes = workspace.coreSlopes.reserve(size)
    nodes = workspace.nodes.reserve(8 * program.components)
  }

  /// Fills the columns atom by atom, element by element.
  private static func gather(
    _ block: AtomBlocks.Block, _ atoms: AtomBlocks, _ program: ElementProgram,
    _ x: UnsafeMutablePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ z: UnsafeMutablePointer<Double>,
    _ inverse: UnsafeMutablePointer<Double>, _ distance: UnsafeMutablePointer<Double>,
    _ neighbors: UnsafeMutablePointer<Int32>, _ sources: UnsafeMutablePointer<Int32>
  ) throws(ACEError) -> [NeighborSegment] {
    let list = atoms.list
    var segments: [NeighborSegment] = []
    segments.reserveCapacity(block.atoms.count * program.bonds.count)
    var (start, radialStart) = (0, 0)
    var nearest = Double.infinity
    list.neighbors.withUnsafeBytes { pairs in
      guard let base = pairs.baseAddress?.assumingMemoryBound(to: sluice_ace_pair.self) else { return }
      for (lane, atom) in block.atoms.enumerated() {
        let (first, end) = (list.offsets[atom], list.offsets[atom + 1])
        for element in program.bonds.indices {
          let cutoff = program.bonds[element].bond.cutoff
          var columns = sluice_ace_columns(
            x: x + start, y: y + start, z: z + start, inverse: inverse + start, distance: distance + start,
            atoms: neighbors + start, sources: sources + start)
          let count = Int(
            sluice_ace_gather(
              base + first, Int32(end - first), Int32(first), atoms.elements, Int32(element),
              cutoff < list.cutoff ? cutoff : .infinity, &columns, &nearest))
          if count == 0 { continue }
          let padded = (count + 7) / 8 * 8
          segments.append(
            NeighborSegment(
              lane: lane, neighborElement: element, start: start, count: count, padded: padded,
              radialStart: radialStart))
          start += padded
          radialStart += padded * program.bonds[element].rowCount
        }
      }
    }
    guard nearest < shortest else { return segments }
    for segment in segments {
      for k in segment.start..<segment.start + segment.count where distance[k] < shortest {
        throw .atomsTooClose(
          atom: block.atoms[segment.lane], neighbor: Int(neighbors[k]), distance: distance[k])
      }
    }
    return segments
  }

  private func sum(_ program: ElementProgram, _ workspace: Workspace) {
    let longest = segments.map(\.padded).max() ?? 0
    let scratch = workspace.sums.reserve(program.harmonicCount * longest)
    nodes.update(repeating: 0, count: 8 * program.leafComponents)
    withUnsafePointer(to: sluice_ace_harmonics.standard) { harmonics in
      for segment in segments {
        var neighbors = neighbors(segment)
        sluice_ace_accumulate(
          program.channels.pointer + segment.neighborElement, harmonics, &neighbors,
          program.places(segment.neighborElement).baseAddress, Int32(segment.lane), scratch, nodes)
      }
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
