import CKernels

/// Turns the functions of one centre element into shared couplings of pairs: every result that two
/// functions have in common, and every gradient that is such a result up to a factor, exists once.
struct ProgramBuilder {
  struct Node {
    let l: Int
    /// First component in the block's node buffer.
    let offset: Int
    /// nil for a one-particle sum.
    let inputs: (x: Int, y: Int)?
  }

  private struct NodeKey: Hashable {
    let x: Int
    let y: Int
    let l3: Int
  }

  private struct LeafKey: Hashable {
    let neighbor: Int
    let n: Int
    let l: Int
  }

  /// A coupled quantity: i^phase * scale * node.
  private struct Coupled {
    let node: Int
    let scale: Double
    let phase: Int
  }

  private struct TableKey: Hashable {
    let tensor: CouplingTensors.Key
    let role: Int
  }

  private(set) var channels: [sluice_ace_channel] = []
  private(set) var place: [[Int32]] = []
  private(set) var leafComponents = 0
  private(set) var components = 0
  private(set) var ops: [sluice_ace_op] = []
  private(set) var forwardOps = 0
  private(set) var forwardComponents = 0
  private(set) var functions: [sluice_ace_function] = []
  private(set) var terms: [sluice_ace_term] = []
  private(set) var termStarts: [Int32] = [0]
  private(set) var tableStarts: [Int32] = [0]
  private(set) var tableRows: [Int32] = [0]
  private(set) var tablePairs: [Int32] = []
  private(set) var tableValues: [Double] = []

  private var tensors = CouplingTensors()
  private var nodes: [Node] = []
  private var known: [NodeKey: Int] = [:]
  private var leaves: [LeafKey: Int] = [:]
  private var firstRank: [LeafKey: Int] = [:]
  private var tables: [TableKey: Int32] = [:]

  /// `bonds`: of this centre with each neighbour element.
  init(functions list: [BasisFunction], bonds: [Bond]) {
    for (neighbor, bond) in bonds.enumerated() { addChannel(neighbor, bond, list) }
    leafComponents = components
    var roots: [(x: Int, y: Int, scale: Double)?] = []
    for f in list { roots.append(addFunction(f)) }
    forwardOps = ops.count
    forwardComponents = components
    for (f, root) in zip(list, roots) {
      addGradient(f, root)
      termStarts.append(Int32(terms.count))
    }
  }

  private mutating func addChannel(_ neighbor: Int, _ bond: Bond, _ list: [BasisFunction]) {
    var channel = sluice_ace_channel()
    var first = 0
    var counts: [Int] = []
    for f in list {
      for t in 0..<f.rank where f.neighbors[t] == neighbor {
        if f.rank == 1 {
          first = max(first, f.ns[t])
        } else {
          while counts.count <= f.ls[t] { counts.append(0) }
          counts[f.ls[t]] = max(counts[f.ls[t]], f.ns[t])
        }
      }
    }
    channel.lmax = Int32(counts.count - 1)
    channel.first_count = Int32(first)
    var places = [Int32](
      repeating: 0, count: first + zip(counts, 0...).reduce(0) { $0 + $1.0 * (2 * $1.1 + 1) })
    for n in 0..<first {
      places[n] = Int32(components)
      firstRank[LeafKey(neighbor: neighbor, n: n + 1, l: 0)] = components
      components += 1
    }
    var base = first
    for (l, count) in counts.enumerated() {
      let row = bond.mixing == nil ? 0 : bond.functionCount + l * bond.radialLimit
      withUnsafeMutableBytes(of: &channel.counts) {
        $0.assumingMemoryBound(to: Int32.self)[l] = Int32(count)
      }
      withUnsafeMutableBytes(of: &channel.bases) {
        $0.assumingMemoryBound(to: Int32.self)[l] = Int32(base)
      }
      withUnsafeMutableBytes(of: &channel.rows) {
        $0.assumingMemoryBound(to: Int32.self)[l] = Int32(row)
      }
      for n in 0..<count {
        leaves[LeafKey(neighbor: neighbor, n: n + 1, l: l)] = nodes.count
        nodes.append(Node(l: l, offset: components, inputs: nil))
        for m in 0...2 * l { places[base + m * count + n] = Int32(components + m) }
        components += 2 * l + 1
      }
      base += count * (2 * l + 1)
    }
    channels.append(channel)
    place.append(places)
  }

  /// Adds what the function's value needs; returns its two last factors, nil at rank 1.
  private mutating func addFunction(_ f: BasisFunction) -> (x: Int, y: Int, scale: Double)? {
    if f.rank == 1 {
      let offset = firstRank[LeafKey(neighbor: f.neighbors[0], n: f.ns[0], l: 0)]!
      functions.append(.init(x: Int32(offset), y: -1, count: 1, unused: 0, scale: 1))
      return nil
    }
    var parts = (0..<f.rank).map { t in
      Coupled(
        node: leaves[LeafKey(neighbor: f.neighbors[t], n: f.ns[t], l: f.ls[t])]!, scale: 1, phase: 0
      )
    }
    let steps = CouplingTree(rank: f.rank).steps
    for (s, step) in steps.dropLast().enumerated() {
      parts.append(couple(parts[step.left], parts[step.right], to: f.couplings[s]))
    }
    let (a, b) = (parts[steps.last!.left], parts[steps.last!.right])
    let l = nodes[a.node].l
    let root = CouplingTensor(clebschGordan: l, l, 0)[0, 0, 0]
    let scale = root * a.scale * b.scale * (a.phase + b.phase == 2 ? -1 : 1)
    functions.append(
      .init(
        x: Int32(nodes[a.node].offset), y: Int32(nodes[b.node].offset), count: Int32(2 * l + 1),
        unused: 0, scale: scale))
    return (a.node, b.node, scale)
  }

  private mutating func couple(_ a: Coupled, _ b: Coupled, to l3: Int) -> Coupled {
    let key = CouplingTensors.Key(l1: nodes[a.node].l, l2: nodes[b.node].l, l3: l3)
    let odd = (key.l1 + key.l2 - l3) % 2 != 0
    let phases = a.phase + b.phase
    // i^(phases - phase of the result), relative to the tensor's own convention.
    let sign: Double = odd ? (phases == 0 ? 1 : -1) : (phases == 2 ? -1 : 1)
    let (node, factor) = shared(a.node, b.node, key)
    return Coupled(
      node: node, scale: a.scale * b.scale * sign * factor * tensors.clebschGordanFactor(key),
      phase: (phases + (odd ? 1 : 0)) % 2)
  }

  /// The node that holds the canonical coupling of two nodes, up to the returned factor.
  private mutating func shared(_ a: Int, _ b: Int, _ key: CouplingTensors.Key) -> (Int, Double) {
    if a > b {
      let exchanged = CouplingTensors.Key(l1: key.l2, l2: key.l1, l3: key.l3)
      return (node(b, a, exchanged), tensors.exchangeFactor(key))
    }
    return (node(a, b, key), 1)
  }

  private mutating func node(_ x: Int, _ y: Int, _ key: CouplingTensors.Key) -> Int {
    let identity = NodeKey(x: x, y: y, l3: key.l3)
    if let found = known[identity] { return found }
    let index = nodes.count
    ops.append(
      .init(
        out: Int32(components), x: Int32(nodes[x].offset), y: Int32(nodes[y].offset),
        table: table(key, role: 0), table_x: table(key, role: 1), table_y: table(key, role: 2)))
    nodes.append(Node(l: key.l3, offset: components, inputs: (x, y)))
    components += 2 * key.l3 + 1
    known[identity] = index
    return index
  }

  /// A tensor as lists by result: role 0 (i, j) -> k, role 1 (k, j) -> i, role 2 (k, i) -> j.
  private mutating func table(_ key: CouplingTensors.Key, role: Int) -> Int32 {
    if let found = tables[TableKey(tensor: key, role: role)] { return found }
    let tensor = tensors.tensor(key)
    let sizes = [2 * key.l1 + 1, 2 * key.l2 + 1, 2 * key.l3 + 1]
    let (out, first, second) = [(2, 0, 1), (0, 2, 1), (1, 2, 0)][role]
    var index = [0, 0, 0]
    for o in 0..<sizes[out] {
      for a in 0..<sizes[first] {
        for b in 0..<sizes[second] {
          (index[out], index[first], index[second]) = (o, a, b)
          let value = tensor[index[0], index[1], index[2]]
          if value == 0 { continue }
          tablePairs.append(Int32(a | b << 16))
          tableValues.append(value)
        }
      }
      tableRows.append(Int32(tablePairs.count))
    }
    let number = Int32(tableStarts.count - 1)
    tableStarts.append(Int32(tableRows.count - 1))
    tables[TableKey(tensor: key, role: role)] = number
    return number
  }

  // MARK: - gradients

  private mutating func addGradient(_ f: BasisFunction, _ root: (x: Int, y: Int, scale: Double)?) {
    guard let root else {
      let offset = firstRank[LeafKey(neighbor: f.neighbors[0], n: f.ns[0], l: 0)]!
      terms.append(.init(node: -1, leaf: Int32(offset), count: 1, unused: 0, scale: 1))
      return
    }
    let start = terms.count
    descend(root.x, gradient: root.y, root.scale, start)
    descend(root.y, gradient: root.x, root.scale, start)
  }

  private mutating func descend(_ node: Int, gradient: Int, _ scale: Double, _ start: Int) {
    guard let (x, y) = nodes[node].inputs else {
      let (g, leaf) = (Int32(nodes[gradient].offset), Int32(nodes[node].offset))
      if let same = terms[start...].firstIndex(where: { $0.node == g && $0.leaf == leaf }) {
        terms[same].scale += scale
      } else {
        terms.append(
          .init(node: g, leaf: leaf, count: Int32(2 * nodes[node].l + 1), unused: 0, scale: scale))
      }
      return
    }
    let l3 = nodes[node].l
    let byX = CouplingTensors.Key(l1: nodes[x].l, l2: nodes[y].l, l3: l3)
    let (gx, fx) = gradientNode(gradient, y, byX)
    descend(x, gradient: gx, scale * fx, start)
    // By exchange the derivative by y is one by the first factor.
    let byY = CouplingTensors.Key(l1: nodes[y].l, l2: nodes[x].l, l3: l3)
    let (gy, fy) = gradientNode(gradient, x, byY)
    descend(y, gradient: gy, scale * fy * tensors.exchangeFactor(byX), start)
  }

  private mutating func gradientNode(_ g: Int, _ y: Int, _ key: CouplingTensors.Key) -> (
    Int, Double
  ) {
    let factor = tensors.gradientFactor(key)
    let (node, exchange) = shared(g, y, .init(l1: key.l3, l2: key.l2, l3: key.l1))
    return (node, factor * exchange)
  }
}
