import Configurations
import TungstenReference

/// Writes the inbox: runs in VASP's layout, some as vasprun.xml, some as OUTCAR, one as both, two in
/// an archive.
struct Inbox {
  let runs: Runs
  let output: Output

  func write() throws {
    let cells = (3, 3, 3)
    try xml("bulk-strains", runs.strains("bulk-strains", count: 14, size: 0.05))
    try outcar(
      "bulk-strains-shaken",
      runs.strains("bulk-strains-shaken", count: 12, size: 0.03, amplitude: 0.04))
    let bulk = TungstenStructures.bulk(cells)
    try xml("bulk-300K", runs.dynamics("bulk-300K", bulk, kelvin: 300, frames: 12))
    try outcar("bulk-1000K", runs.dynamics("bulk-1000K", bulk, kelvin: 1000, frames: 12))
    let hot = runs.dynamics("bulk-2500K", bulk, kelvin: 2500, frames: 12)
    try xml("bulk-2500K", hot)
    try outcar("bulk-2500K", hot)
    let vacancy = TungstenStructures.vacancies([0])
    try xml("vacancy-600K", runs.dynamics("vacancy-600K", vacancy, kelvin: 600, frames: 12))
    try outcar("vacancy-1500K", runs.dynamics("vacancy-1500K", vacancy, kelvin: 1500, frames: 12))
    try outcar(
      "divacancy-1000K",
      runs.dynamics(
        "divacancy-1000K", TungstenStructures.vacancies([0, 1]), kelvin: 1000, frames: 10))
    try xml(
      "surface-100-300K",
      runs.dynamics(
        "surface-100-300K", TungstenStructures.surface100(layers: 9), kelvin: 300, frames: 12))
    try outcar(
      "surface-110-900K",
      runs.dynamics(
        "surface-110-900K", TungstenStructures.surface110(layers: 5), kelvin: 900, frames: 12))
    try xml("liquid-4500K", runs.liquid("liquid-4500K", count: 32, kelvin: 4500, frames: 14))
    try outcar("liquid-6000K", runs.liquid("liquid-6000K", count: 28, kelvin: 6000, frames: 14))
    try archive()
  }

  /// One run more than `write()` makes.
  func writeOneMore() throws { try outcar("interstitial-900K", runs.oneMore()) }

  private func archive() throws {
    var tar = TarArchive()
    for (name, strain) in [("compressed-1500K", -0.03), ("expanded-1500K", 0.02)] {
      let start = TungstenStructures.bulk((2, 2, 2), strain: strain * Matrix3.identity)
      let run = runs.dynamics("bulk-\(name)", start, kelvin: 1500, frames: 12)
      tar.add("bulk-\(name)/vasprun.xml", run.vasprun())
      tar.add("bulk-\(name)/OUTCAR", run.outcar())
    }
    tar.finish()
    try output.write("tungsten/bulk/pressed.tar", tar.bytes)
  }

  private func xml(_ name: String, _ run: VASPRun) throws {
    try output.write("\(folder(name))/vasprun.xml", run.vasprun())
  }

  private func outcar(_ name: String, _ run: VASPRun) throws {
    try output.write("\(folder(name))/OUTCAR", run.outcar())
  }

  /// "bulk-300K" lies in "bulk/300K": the outer folder is the group that the pipeline reports by.
  private func folder(_ name: String) -> String {
    if name.hasPrefix("divacancy") { return "tungsten/vacancy/\(name)" }
    let kind = name.prefix { $0 != "-" }
    return "tungsten/\(kind)/\(name.dropFirst(kind.count + 1))"
  }
}
