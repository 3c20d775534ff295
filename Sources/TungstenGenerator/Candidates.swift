import Configurations
import TungstenReference

/// Writes the pool of unlabelled candidates. File names begin with `new-` where the environments are
/// ones that the inbox lacks, `known-` where they are copies or near copies, `broken-` where atoms
/// overlap.
struct Candidates {
  let runs: Runs
  let output: Output

  func write() throws {
    try writeNew()
    try writeKnown()
    try writeBroken()
  }

  private func writeNew() throws {
    var random = runs.random("candidates")
    let dipole = TungstenStructures.screwDipole()
    try extendedXYZ(
      "new-screw-dislocations.xyz",
      [dipole] + (0..<5).map { _ in TungstenStructures.displaced(dipole, amplitude: 0.06, &random) }
    )
    try extendedXYZ(
      "new-free-clusters.xyz",
      [9, 15, 21, 27, 35].map { TungstenStructures.cluster(count: $0, amplitude: 0.1, &random) })
    for (name, direction) in [("110", Vector3(1, 1, 0)), ("111", Vector3(1, 1, 1))] {
      let structure = TungstenStructures.dumbbell(along: direction)
      let comment = "W self-interstitial, <\(name)> dumbbell, unlabelled"
      try output.write(
        "tungsten-candidates/new-interstitial-\(name).vasp",
        POSCARWriter().bytes(structure, comment: comment))
    }
    let faults = [0.2, 0.35, 0.5].map {
      TungstenStructures.displaced(
        TungstenStructures.gammaSurface(layers: 6, fraction: $0), amplitude: 0.05, &random)
    }
    try output.write(
      "tungsten-candidates/new-gamma-surface.lammpstrj", TrajectoryText.lammpsDump(faults))
  }

  private func writeKnown() throws {
    let bulk = runs.dynamics("bulk-300K", TungstenStructures.bulk(), kelvin: 300, frames: 12)
    try extendedXYZ("known-bulk-300K-copies.xyz", Array(bulk.steps.prefix(4)))
    var random = runs.random("known")
    let vacancy = runs.dynamics(
      "vacancy-1500K", TungstenStructures.vacancies([0]), kelvin: 1500, frames: 12)
    let near = vacancy.steps.prefix(6).map {
      TungstenStructures.displaced($0, amplitude: 0.01, &random)
    }
    try output.write(
      "tungsten-candidates/known-vacancy-near-copies.XDATCAR",
      TrajectoryText.xdatcar(near, title: "W vacancy 1500 K near copies"))
    let later = runs.dynamics(
      "bulk-1000K later", TungstenStructures.bulk(), kelvin: 1000, frames: 4)
    try output.write(
      "tungsten-candidates/known-bulk-1000K-another-run.lammpstrj",
      TrajectoryText.lammpsDump(later.steps))
  }

  private func writeBroken() throws {
    var broken = TungstenStructures.bulk()
    broken.positions[1] = broken.positions[0] + [0.7, 0.2, 0.1]
    broken.provenance.group = "broken"
    try extendedXYZ("broken-close-pair.xyz", [broken])
  }

  /// Without labels: candidates have none.
  private func extendedXYZ(_ name: String, _ frames: [Configuration]) throws {
    var bytes: [UInt8] = []
    for (k, frame) in frames.enumerated() {
      var bare = frame
      bare.labels = Labels()
      bare.provenance.source = name
      bare.provenance.ionicStep = k
      ExtendedXYZWriter().append(bare, to: &bytes)
    }
    try output.write("tungsten-candidates/\(name)", bytes)
  }
}
