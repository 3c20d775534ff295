import Configurations
import TungstenReference

/// Writes one long run for benchmarks, as vasprun.xml and as OUTCAR, of about `megabytes` each. Its steps
/// are a few dozen, over and over, since labels would take longer than all readers together; each time they are
/// turned about the axes and shifted, so that no text comes twice (packers would find it) and labels stay right.
struct BigRun {
  let runs: Runs
  let output: Output
  let megabytes: Int
  /// Cells along each edge of the box: 2 · edge³ atoms.
  let edge: Int

  private static let differentSteps = 32

  private func steps() -> [Configuration] {
    var random = runs.random("big")
    return (0..<Self.differentSteps).map { _ in
      let amplitude = TungstenStructures.thermalAmplitude(kelvin: 300 + 2000 * random.uniform())
      let shaken = TungstenStructures.displaced(
        TungstenStructures.bulk((edge, edge, edge)), amplitude: amplitude, &random)
      return FinnisSinclairTungsten().label(shaken)
    }
  }

  /// The `count`-th step of the run.
  private func step(_ count: Int, of steps: [Configuration], _ random: inout RandomNumbers) -> Configuration {
    guard count > 0 else { return steps[0] }
    return steps[count % steps.count].turned(
      random.rotationOfCube(), shiftedBy: Vector3(random.uniform(), random.uniform(), random.uniform()))
  }

  func write() throws {
    let limit = megabytes * 1_000_000
    let steps = steps()
    let run = VASPRun(title: "big", kind: .molecularDynamics, steps: [steps[0]])
    var random = runs.random("turns")
    var (written, count, isOver) = (0, 0, false)
    try output.stream("big/vasprun.xml") {
      if isOver { return nil }
      var xml = VasprunWriter(run)
      if count > 0 { xml.bytes = [] }
      if written < limit {
        xml.append(step(count, of: steps, &random))
      } else {
        xml.finish(steps[0])
        isOver = true
      }
      count += 1
      written += xml.bytes.count
      return xml.bytes
    }
    random = runs.random("turns")
    (written, count, isOver) = (0, 0, false)
    var outcar = OutcarWriter(run)
    try output.stream("big/OUTCAR") {
      if isOver { return nil }
      if written < limit {
        outcar.append(step(count, of: steps, &random))
      } else {
        outcar.finish()
        isOver = true
      }
      defer { outcar.bytes.removeAll(keepingCapacity: true) }
      count += 1
      written += outcar.bytes.count
      return outcar.bytes
    }
  }
}

extension RandomNumbers {
  /// One of the 24 rotations that leave a cube as it is.
  fileprivate mutating func rotationOfCube() -> Matrix3 {
    let axes: [Vector3] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    let first = Int.random(in: 0..<3, using: &self)
    let second = (first + Int.random(in: 1...2, using: &self)) % 3
    let x = Bool.random(using: &self) ? axes[first] : -axes[first]
    let y = Bool.random(using: &self) ? axes[second] : -axes[second]
    return Matrix3(x, y, cross(x, y))
  }
}

extension Configuration {
  /// The same in a cubic box, turned by `rotation` and shifted by a part of the box.
  fileprivate func turned(_ rotation: Matrix3, shiftedBy shift: Vector3) -> Configuration {
    guard let cell else { return self }
    var copy = self
    copy.positions = positions.map { $0 * rotation + shift * cell.vectors }
    copy.labels.forces = labels.forces?.map { $0 * rotation }
    copy.labels.stress = labels.stress.map { rotation.transpose * $0 * rotation }
    return copy
  }
}
