import Dispatch
import Synchronization

/// What some of a structure's atoms give.
struct PotentialPart: Sendable {
  /// eV per atom; zero for atoms of other parts.
  var energies: [Double]
  var totals: PairTotals
  var grades: GradeCollector?
}

extension Evaluator {
  /// Larger structures are evaluated in parts, on one thread as on many, so that sums are always the same.
  public static let atomsInOnePart = 4096
  /// Parts of a large structure; each needs the forces of all atoms.
  private static let parts = 8

  /// Evaluates all blocks: together, or in parts that threads take one after the other.
  func evaluateParts(
    _ potential: Potential, _ atoms: AtomBlocks, _ grades: GradeCollector?, _ threads: Int, _ workspace: Workspace
  ) throws(ACEError) -> PotentialPart {
    let blocks = atoms.blocks
    guard atoms.elements.count > Self.atomsInOnePart else {
      return try evaluate(blocks[...], of: atoms, potential, grades, workspace)
    }
    let slices = (0..<Self.parts).map {
      blocks[blocks.count * $0 / Self.parts..<blocks.count * ($0 + 1) / Self.parts]
    }
    let workspaces = [workspace] + (1..<max(threads, 1)).map { _ in Workspace() }
    let results = try shared(slices.count, workspaces) { (part, workspace) throws(ACEError) in
      try evaluate(slices[part], of: atoms, potential, grades, workspace)
    }
    // In the order of the parts, whoever was first.
    var whole = results[0]
    for (slice, part) in zip(slices, results).dropFirst() {
      for atom in whole.energies.indices { whole.energies[atom] += part.energies[atom] }
      whole.totals.add(part.totals)
      if let grades = part.grades { whole.grades?.merge(grades, of: slice) }
    }
    return whole
  }
}

/// Results of `body` for all numbers below `count`, in their order; a thread for each workspace, which take one number
/// after the other. Throws the error of the lowest number.
func shared<Output: Sendable>(
  _ count: Int, _ workspaces: [Workspace],
  _ body: @Sendable (Int, Workspace) throws(ACEError) -> Output
) throws(ACEError) -> [Output] {
  let state = Mutex<(next: Int, results: [Result<Output, ACEError>?])>((0, Array(repeating: nil, count: count)))
  nonisolated(unsafe) let workspaces = workspaces  // each thread has its own
  DispatchQueue.concurrentPerform(iterations: min(workspaces.count, count)) { thread in
    while let number = state.withLock({ state -> Int? in
      state.next += 1
      return state.next <= count ? state.next - 1 : nil
    }) {
      let result: Result<Output, ACEError>
      do throws(ACEError) { result = .success(try body(number, workspaces[thread])) } catch { result = .failure(error) }
      state.withLock { $0.results[number] = result }
    }
  }
  var outputs: [Output] = []
  for result in state.withLock({ $0.results }) { outputs.append(try result!.get()) }
  return outputs
}
