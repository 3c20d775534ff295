import StageKit

/// Keeps every n-th point, with n doubling whenever there are too many: bounded, and the same for the
/// same sequence.
struct ParitySample {
  let limit: Int
  private var strides: [String: Int] = [:]
  private var counts: [String: Int] = [:]
  private var kept: [String: [(number: Int, point: FitSummary.ParityPoint)]] = [:]

  init(limit: Int) { self.limit = limit }

  mutating func add(_ quantity: String, _ reference: Double, _ predicted: Double, _ heldOut: Bool) {
    let number = counts[quantity, default: 0]
    counts[quantity] = number + 1
    var stride = strides[quantity, default: 1]
    guard number % stride == 0 else { return }
    kept[quantity, default: []].append(
      (
        number,
        FitSummary.ParityPoint(quantity: quantity, reference: reference, predicted: predicted, heldOut: heldOut)
      ))
    if kept[quantity]!.count > limit {
      stride *= 2
      strides[quantity] = stride
      kept[quantity]!.removeAll { $0.number % stride != 0 }
    }
  }

  var points: [FitSummary.ParityPoint] { kept.keys.sorted().flatMap { kept[$0]!.map(\.point) } }
}
