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
    let state = Mutex<(next: Int, results: [Result<PotentialPart, ACEError>?])>(
      (0, Array(repeating: nil, count: slices.count)))
    DispatchQueue.concurrentPerform(iterations: max(min(threads, slices.count), 1)) { _ in
      let workspace = Workspace()
      while let part = state.withLock({ state -> Int? in
        guard state.next < slices.count else { return nil }
        state.next += 1
        return state.next - 1
      }) {
        let result: Result<PotentialPart, ACEError>
        do throws(ACEError) {
          result = .success(try evaluate(slices[part], of: atoms, potential, grades, workspace))
        } catch {
          result = .failure(error)
        }
        state.withLock { $0.results[part] = result }
      }
    }
    let results = state.withLock { $0.results }
    // In the order of the parts, whoever was first.
    var whole = try results[0]!.get()
    for (slice, result) in zip(slices, results).dropFirst() {
      let part = try result!.get()
      for atom in whole.energies.indices { whole.energies[atom] += part.energies[atom] }
      whole.totals.add(part.totals)
      if let grades = part.grades { whole.grades?.merge(grades, of: slice) }
    }
    return whole
  }
}
