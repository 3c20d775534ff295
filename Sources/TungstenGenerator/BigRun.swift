import Configurations
import TungstenReference

/// Writes one long run for benchmarks, as vasprun.xml and as OUTCAR, of about `megabytes` each. Its steps
/// are a few dozen, over and over: their labels would take longer than all readers together.
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

  func write() throws {
    let limit = megabytes * 1_000_000
    let steps = steps()
    let run = VASPRun(title: "big", kind: .molecularDynamics, steps: [steps[0]])
    // A step of vasprun.xml has no number: its text is made once.
    let texts = steps.map { step in
      var writer = VasprunWriter(run)
      writer.bytes = []
      writer.append(step)
      return writer.bytes
    }
    var (written, count, isOver) = (0, 0, false)
    try output.stream("big/vasprun.xml") {
      if isOver { return nil }
      var xml = VasprunWriter(run)
      if count > 0 { xml.bytes = [] }
      if written < limit {
        xml.bytes += texts[count % texts.count]
      } else {
        xml.finish(steps[0])
        isOver = true
      }
      count += 1
      written += xml.bytes.count
      return xml.bytes
    }
    (written, count, isOver) = (0, 0, false)
    var outcar = OutcarWriter(run)
    try output.stream("big/OUTCAR") {
      if isOver { return nil }
      if written < limit {
        outcar.append(steps[count % steps.count])
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
