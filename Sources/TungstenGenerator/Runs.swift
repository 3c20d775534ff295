import Configurations
import TungstenReference

/// The runs of the shipped inbox, each made from its own seed so that one more changes no other.
struct Runs {
  let seed: UInt64

  private let potential = FinnisSinclairTungsten()

  /// The generator of random numbers of the run called `name`.
  func random(_ name: String) -> RandomNumbers {
    // FNV-1a of the name, so that the order of the runs does not matter.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return RandomNumbers(seed: hash ^ seed)
  }

  func dynamics(
    _ name: String, _ start: Configuration, kelvin: Double, frames: Int, interval: Int = 20
  ) -> VASPRun {
    var random = random(name)
    let frames = TungstenDynamics.run(
      start, kelvin: kelvin, frames: frames, interval: interval, &random)
    return VASPRun(title: name, kind: .molecularDynamics, steps: frames)
  }

  /// Even strains and strains at random of the crystal, whose atoms are moved by `amplitude`.
  func strains(_ name: String, count: Int, size: Double, amplitude: Double = 0) -> VASPRun {
    var random = random(name)
    let steps = (0..<count).map { k in
      let even = size * (2 * Double(k) / Double(max(1, count - 1)) - 1)
      let strain =
        k % 2 == 0 ? even * Matrix3.identity : TungstenStructures.randomStrain(size / 2, &random)
      let bulk = TungstenStructures.bulk((2, 2, 2), strain: strain)
      return potential.label(
        TungstenStructures.displaced(bulk, amplitude: amplitude, &random))
    }
    return VASPRun(title: name, kind: .relaxation, steps: steps)
  }

  func liquid(_ name: String, count: Int, kelvin: Double, frames: Int) -> VASPRun {
    var random = random(name + " start")
    let start = TungstenStructures.disordered(count: count, &random)
    return dynamics(name, start, kelvin: kelvin, frames: frames)
  }

  /// What the option `--one-more` adds: a self-interstitial, which the inbox lacks.
  func oneMore() -> VASPRun {
    dynamics(
      "interstitial-900K", TungstenStructures.dumbbell(along: [1, 1, 0]), kelvin: 900, frames: 10)
  }
}
