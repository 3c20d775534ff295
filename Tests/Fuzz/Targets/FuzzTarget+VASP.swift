import Configurations
import Platform
import TestSupport
import VASP

extension FuzzTarget {
  // Every number of these runs is another one and exact in binary, so that an answer tells where each
  // of its numbers was printed.

  private static let shapes: [RunText] = [
    run(steps: 3, offset: 0), run(steps: 2, offset: 7, version: "5.4.4", selective: true),
    run(steps: 2, offset: 3, learned: true),
  ]

  private static func run(
    steps: Int, offset: Int, version: String = "6.3.2", selective: Bool = false, learned: Bool = false
  ) -> RunText {
    RunText(
      version: version,
      steps: (0..<steps).map { s in
        let k = s + offset
        func rows(_ value: (Int) -> Double) -> [Vector3] {
          (0..<3).map { Vector3(value(3 * $0), value(3 * $0 + 1), value(3 * $0 + 2)) }
        }
        return RunText.Step(
          cell: Matrix3([Double(4 + k), 0.25, 0], [0.5, Double(24 + k), 0], [0, 0.75, Double(44 + k)]),
          positions: rows { Double(9 * s + $0 + 1) / 32 },
          forces: rows { Double(1000 + 100 * k + $0) + 0.125 },
          stress: (0..<6).map { Double(100 * (k + 1) + $0) + 0.5 },
          energy: -Double(500 + k) - 0.5, withoutEntropy: -Double(500 + k) - 0.25,
          sigmaZero: -Double(500 + k) - 0.375, iterations: 2)
      },
      symbols: ["W", "O", "O"], titles: ["PAW_PBE W_sv 06Sep2000", "PAW_PBE O 08Apr2002", "PAW_PBE O 08Apr2002"],
      selective: selective, learned: learned)
  }

  private static let vasprunSeeds = shapes.map { Array($0.vasprun.utf8) }
  private static let outcarSeeds = [
    Array(shapes[0].outcar().utf8), Array(shapes[1].outcar(energyFirst: true).utf8),
    Array(shapes[0].outcar(finished: false).utf8),
  ]

  /// What the undamaged seeds give.
  private static let originals =
    vasprunSeeds.map { original($0, isTree: true) } + outcarSeeds.map { original($0, isTree: false) }

  private static let xmlTokens = [
    "<!DOCTYPE modeling [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">",
    "&b;", "&#0;", "&#x110000;", "&amp;", "&lt", "<!--", "-->", "<![CDATA[", "]]>", "<?xml version=\"1.0\"?>", "<a>",
    "</a>", "<calculation>", "</calculation>", "</modeling>", "<varray name=\"forces\" >", "</varray>", "<v>", "</v>",
    "<structure>", "<energy>", "<i name=\"e_fr_energy\">", "<i ", "\"", "<set>", "<rc>", "<atoms>1000000000000</atoms>",
  ]
  private static let sheetTokens = [
    "NIONS = 1000000000000", "NIONS =   -1", "ions per type = 9223372036854775807 9223372036854775807",
    "ions per type = -1 4", " POSITION   TOTAL-FORCE (eV/Angst)\n", "  free  energy   TOTEN  =",
    " Iteration      2(   1)  ---\n",
    "-- Iteration ****(   1)", "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n", "  in kB  ",
    "      direct lattice vectors                 reciprocal lattice vectors\n", " magnetization (x)\n",
    " vasp.6.3.2\n",
    "General timing and accounting", "NELM = 0;", "ML FREE ENERGIE", "-----",
  ]

  static let vasprun = FuzzTarget("vasprun", seeds: vasprunSeeds, tokens: xmlTokens) { mutant in
    let reader = VasprunReader(MemoryByteSource(mutant.bytes), name: "vasprun.xml")
    return judge(
      mutant, original: originals[mutant.seed], isTree: true,
      collect { () throws(Diagnostic) in try reader.next() }, { reader.diagnostics })
  }

  static let outcar = FuzzTarget("outcar", seeds: outcarSeeds, tokens: sheetTokens) { mutant in
    let reader = OutcarReader(MemoryByteSource(mutant.bytes), name: "OUTCAR")
    return judge(
      mutant, original: originals[vasprunSeeds.count + mutant.seed], isTree: false,
      collect { () throws(Diagnostic) in try reader.next() }, { reader.diagnostics })
  }

  /// Whatever a user drops, told by its content.
  static let source = FuzzTarget(
    "source", seeds: vasprunSeeds + outcarSeeds, tokens: xmlTokens + sheetTokens
  ) { mutant in
    let isTree = mutant.seed < vasprunSeeds.count
    var kept: [Configuration] = []
    var said: [Diagnostic] = []
    do throws(Diagnostic) {
      for source in try SourceReader().read(MemoryByteSource(mutant.bytes), name: "drop") {
        kept += source.configurations
        said += source.diagnostics
        if source.error != nil, !source.configurations.isEmpty { return "a refused source gave configurations" }
      }
    } catch { said.append(error) }
    return judge(mutant, original: originals[mutant.seed], isTree: isTree, kept, { said })
  }

  /// vasprun.xml and OUTCAR of one run, one of them damaged: what is merged is still one run.
  static let runFolder = FuzzTarget("run-folder", seeds: vasprunSeeds + outcarSeeds, tokens: xmlTokens + sheetTokens) {
    mutant in
    let isTree = mutant.seed < vasprunSeeds.count
    let whole = isTree ? outcarSeeds[0] : vasprunSeeds[0]
    let files = [
      RunFile(path: "vasprun.xml") { MemoryByteSource(isTree ? mutant.bytes : whole) },
      RunFile(path: "OUTCAR") { MemoryByteSource(isTree ? whole : mutant.bytes) },
    ]
    do throws(Diagnostic) {
      let sources = try SourceReader().read(folder: "run", files: files)
      return sources.lazy.flatMap(\.configurations).compactMap(fault).first
        ?? sources.lazy.flatMap(\.diagnostics).compactMap(flaw).first
    } catch { return flaw(of: error) }
  }

  // MARK: judging

  private static func collect(_ next: () throws(Diagnostic) -> Configuration?) -> [Configuration] {
    var kept: [Configuration] = []
    do throws(Diagnostic) {
      while let configuration = try next() { kept.append(configuration) }
    } catch {
      // A refusal takes back what came before it.
      return []
    }
    return kept
  }

  private static func original(_ bytes: [UInt8], isTree: Bool) -> [Configuration] {
    if isTree {
      let reader = VasprunReader(MemoryByteSource(bytes), name: "vasprun.xml")
      return collect { () throws(Diagnostic) in try reader.next() }
    }
    let reader = OutcarReader(MemoryByteSource(bytes), name: "OUTCAR")
    return collect { () throws(Diagnostic) in try reader.next() }
  }

  /// What no configuration may be, whatever the input.
  static func fault(_ c: Configuration) -> String? {
    guard let energy = c.labels.energy, energy.isFinite else { return "no finite energy" }
    guard c.count > 0, c.positions.count == c.count, c.positions.allSatisfy(isFinite) else { return "bad positions" }
    guard let cell = c.cell, cell.volume > 0, cell.volume.isFinite else { return "bad cell" }
    if let forces = c.labels.forces, forces.count != c.count || !forces.allSatisfy(isFinite) { return "bad forces" }
    if let s = c.labels.stress, ![s.x, s.y, s.z].allSatisfy(isFinite) { return "bad stress" }
    return nil
  }

  private static func isFinite(_ v: Vector3) -> Bool { v.x.isFinite && v.y.isFinite && v.z.isFinite }

  private static func judge(
    _ mutant: Mutant, original: [Configuration], isTree: Bool, _ kept: [Configuration],
    _ diagnostics: () -> [Diagnostic]
  ) -> String? {
    for c in kept { if let fault = fault(c) { return fault } }
    for diagnostic in diagnostics() { if let flaw = flaw(of: diagnostic) { return flaw } }
    switch mutant.damage {
    case .cut:
      if !isPrefix(kept, original) { return "not a prefix of the whole" }
    case .line:
      for c in kept where !original.contains(where: { isPart(c, of: $0) }) {
        return "step \(c.provenance.ionicStep) mixes numbers of several places"
      }
    case .lines:
      for c in kept { if let found = strange(c, PrintedNumbers(mutant.bytes), isTree) { return found } }
    case .byte(let at):
      var allowed = PrintedNumbers([])
      for c in original { allowed.formUnion(numbers(c)) }
      allowed.formUnion(.around(at, in: mutant.bytes))
      for c in kept { if let found = strange(c, allowed, isTree) { return found } }
    case .any:
      for c in kept { if let found = strange(c, PrintedNumbers(mutant.bytes), isTree) { return found } }
    }
    return nil
  }

  /// The numbers of a configuration that are printed as they are.
  private static func numbers(_ c: Configuration) -> PrintedNumbers {
    var text = "\(c.labels.energy ?? 0)"
    for v in (c.labels.forces ?? []) + c.positions + [c.cell!.vectors.x, c.cell!.vectors.y, c.cell!.vectors.z] {
      text += " \(v.x) \(v.y) \(v.z)"
    }
    return PrintedNumbers(text.utf8)
  }

  /// A number that is not printed in the file.
  private static func strange(_ c: Configuration, _ allowed: PrintedNumbers, _ isTree: Bool) -> String? {
    func isStrange(_ v: Vector3) -> Bool { !(allowed.contains(v.x) && allowed.contains(v.y) && allowed.contains(v.z)) }
    let step = c.provenance.ionicStep
    if !allowed.contains(c.labels.energy!) { return "step \(step): an energy of \(c.labels.energy!), printed nowhere" }
    if let force = c.labels.forces?.first(where: isStrange) { return "step \(step): a force \(force), printed nowhere" }
    let rows = [c.cell!.vectors.x, c.cell!.vectors.y, c.cell!.vectors.z]
    if let row = rows.first(where: isStrange) { return "step \(step): a lattice vector \(row), printed nowhere" }
    // vasprun.xml prints fractions of the cell.
    if !isTree, let position = c.positions.first(where: isStrange) {
      return "step \(step): a position \(position), printed nowhere"
    }
    return nil
  }

  private static func isPart(_ c: Configuration, of whole: Configuration) -> Bool {
    c.labels.energy == whole.labels.energy && c.positions == whole.positions && c.cell == whole.cell
      && c.species == whole.species && (c.labels.forces == nil || c.labels.forces == whole.labels.forces)
      && (c.labels.stress == nil || c.labels.stress == whole.labels.stress)
  }

  /// The last step of a cut file may lack its magnetic moments, which VASP prints again at the end.
  static func isPrefix(_ kept: [Configuration], _ whole: [Configuration]) -> Bool {
    guard kept.count <= whole.count else { return false }
    return zip(kept, whole).enumerated().allSatisfy { k, pair in
      var (part, full) = pair
      part.provenance.source = full.provenance.source
      if k == kept.count - 1, part.properties["magmoms"] == nil { full.properties["magmoms"] = nil }
      return part == full
    }
  }
}
