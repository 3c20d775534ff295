import Configurations
import TungstenReference

/// Writes one long run of 128 atoms for benchmarks, as vasprun.xml and as OUTCAR, of about
/// `megabytes` each.
struct BigRun {
  let runs: Runs
  let output: Output
  let megabytes: Int

  private enum Stage {
    case steps
    case ended
  }

  private func step(_ random: inout RandomNumbers) -> Configuration {
    let amplitude = TungstenStructures.thermalAmplitude(kelvin: 300 + 2000 * random.uniform())
    let shaken = TungstenStructures.displaced(
      TungstenStructures.bulk((4, 4, 4)), amplitude: amplitude, &random)
    return FinnisSinclairTungsten().label(shaken)
  }

  func write() throws {
    let limit = megabytes * 1_000_000
    var random = runs.random("big")
    let first = step(&random)
    let run = VASPRun(title: "big", kind: .molecularDynamics, steps: [first])
    var (written, stage) = (0, Stage.steps)
    var xml = VasprunWriter(run)
    try output.stream("big/vasprun.xml") {
      guard stage == .steps else { return nil }
      if written < limit {
        xml.append(step(&random))
      } else {
        xml.finish(first)
        stage = .ended
      }
      defer { xml.bytes.removeAll(keepingCapacity: true) }
      written += xml.bytes.count
      return xml.bytes
    }
    random = runs.random("big")
    _ = step(&random)
    (written, stage) = (0, .steps)
    var outcar = OutcarWriter(run)
    try output.stream("big/OUTCAR") {
      guard stage == .steps else { return nil }
      if written < limit {
        outcar.append(step(&random))
      } else {
        outcar.finish()
        stage = .ended
      }
      defer { outcar.bytes.removeAll(keepingCapacity: true) }
      written += outcar.bytes.count
      return outcar.bytes
    }
  }
}
