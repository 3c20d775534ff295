import Configurations
import Dispatch
import Synchronization

/// What some of a structure's atoms give.
struct PotentialPart: Sendable {
  /// eV per atom; zero for atoms of other parts.
  var energies: [Double]
  var totals: PairTotals
  var grades: GradeCollector?
  var members: MemberPart?
}

extension Evaluator {
  /// Larger structures are evaluated in parts, on one thread as on many, so that sums are always the same.
  public static let atomsInOnePart = 4096
  /// Parts of a large structure; each needs the forces of all atoms.
  private static let parts = 8

  /// Evaluates all blocks: together, or in parts that threads take one after the other.
  func evaluateParts(
    _ potential: Potential, _ configuration: Configuration, _ grades: GradeCollector?, _ members: MemberSet?,
    _ threads: Int, _ workspace: Workspace
  ) throws(ACEError) -> PotentialPart {
    let atoms = try AtomBlocks(configuration, basis: basis, threads: threads)
    let blocks = atoms.blocks
    guard atoms.elements.count > Self.atomsInOnePart else {
      return try evaluate(blocks[...], of: atoms, potential, grades, members, workspace)
    }
    let slices = (0..<Self.parts).map {
      blocks[blocks.count * $0 / Self.parts..<blocks.count * ($0 + 1) / Self.parts]
    }
    let workspaces = [workspace] + (1..<max(threads, 1)).map { _ in Workspace() }
    // Added in the order of the parts, whoever was first; few are in memory at a time.
    let sum = Mutex<(next: Int, ready: [Int: PotentialPart], whole: PotentialPart?)>((0, [:], nil))
    _ = try shared(slices.count, workspaces) { (number, workspace) throws(ACEError) in
      let part = try evaluate(slices[number], of: atoms, potential, grades, members, workspace)
      sum.withLock { sum in
        sum.ready[number] = part
        while let part = sum.ready.removeValue(forKey: sum.next) {
          if sum.next == 0 { sum.whole = part } else { sum.whole!.add(part, of: slices[sum.next]) }
          sum.next += 1
        }
      }
    }
    return sum.withLock { $0.whole! }
  }
}

extension PotentialPart {
  /// Adds what other blocks gave.
  fileprivate mutating func add(_ part: PotentialPart, of blocks: ArraySlice<AtomBlocks.Block>) {
    for atom in energies.indices { energies[atom] += part.energies[atom] }
    totals.add(part.totals)
    if let other = part.grades { grades?.merge(other, of: blocks) }
    if let other = part.members { members?.add(other) }
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
