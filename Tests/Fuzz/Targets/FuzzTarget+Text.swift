import Candidates
import Configurations
import Engine
import Featurize
import Ingest
import Platform
import Publish
import Rank
import Recluster
import Refit
import Screen
import StageKit

extension FuzzTarget {
  // MARK: structure files

  private static func xyz(_ count: Int, _ offset: Int) -> String {
    var text = "\(count)\nLattice=\"8.5 0 0 0 9.25 0 0 0 10.125\" Properties=species:S:1:pos:R:3:forces:R:3 "
    text += "energy=-\(200 + offset).5 stress=\"0.5 0 0 0 0.25 0 0 0 0.125\" pbc=\"T T T\" config_type=\"a b\"\n"
    for atom in 0..<count {
      let k = 10 * offset + atom
      text += "\(atom % 2 == 0 ? "W" : "Re") \(k).25 \(k).5 \(k).75 -\(k + 300).25 \(k + 300).5 \(k + 300).75\n"
    }
    return text
  }

  private static let frames = [
    Array((xyz(2, 1) + xyz(3, 2) + xyz(1, 3)).utf8), Array((xyz(1, 4) + "\n\n" + xyz(2, 5)).utf8),
  ]

  static let extendedXYZ = FuzzTarget(
    "extended-xyz", seeds: frames,
    tokens: [
      "Lattice=\"", "Properties=species:S:1:pos:R:3", ":R:999999999999", "energy=", "\"", "{", "[[", "virial=\"1 2 3\"",
      "pbc=",
    ]
  ) { mutant in
    func read(_ bytes: [UInt8]) -> ([Configuration], Diagnostic?) {
      var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: "a.xyz")
      var kept: [Configuration] = []
      do throws(Diagnostic) { while let c = try reader.next() { kept.append(c) } } catch { return (kept, error) }
      return (kept, nil)
    }
    let (kept, problem) = read(mutant.bytes)
    if let flaw = problem.flatMap(flaw) { return flaw }
    for c in kept { if let fault = shape(c) { return fault } }
    switch mutant.damage {
    // The cut may fall inside the last number or behind it, which nothing in this format can tell.
    case .cut:
      let certain = kept.dropLast()
      if Array(certain) != Array(read(frames[mutant.seed]).0.prefix(certain.count)) {
        return "not a prefix of the whole"
      }
    case .byte(let at):
      var allowed = PrintedNumbers(frames[mutant.seed])
      allowed.formUnion(.around(at, in: mutant.bytes))
      for c in kept {
        for v in (c.labels.forces ?? []) + c.positions where v.x.isFinite && v.y.isFinite && v.z.isFinite {
          if !(allowed.contains(v.x) && allowed.contains(v.y) && allowed.contains(v.z)) {
            return "\(v) is printed nowhere"
          }
        }
      }
    default: break
    }
    return nil
  }

  private static let structureTexts: [(name: String, text: String)] = [
    (
      "POSCAR",
      "c\n2.0\n1.5 0 0\n0 2 0\n0 0 2.5\nW Re\n1 2\nSelective\nDirect\n0 0 0 T T T\n.5 .5 .5 F F F\n.1 .2 .3 T T T\n"
    ),
    (
      "XDATCAR",
      "c\n1\n2 0 0\n0 2 0\n0 0 2\nW\n2\nDirect configuration= 1\n0 0 0\n.5 .5 .5\nDirect configuration= 2\n0 0 .1\n.5 .5 .5\n"
    ),
    (
      "d.dump",
      "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS xy xz yz pp pp pp\n0 4 .5\n0 4 0\n0 4 -1\n"
        + "ITEM: ATOMS id element x y z q\n2 W 1 1 1 -.5\n1 Re 0 0 0 .25\n"
    ),
  ]

  static let structures = FuzzTarget(
    "structures", seeds: structureTexts.map { Array($0.text.utf8) },
    tokens: [
      "Direct\n", "Cartesian\n", "Selective\n", "ITEM: ATOMS id x y z\n", "ITEM: NUMBER OF ATOMS\n", "W1000000000000",
      "-2.0\n",
    ]
  ) { mutant in
    do throws(Diagnostic) {
      let file = try StructureFile(MemoryByteSource(mutant.bytes), name: structureTexts[mutant.seed].name)
      for c in file.configurations {
        if let fault = shape(c) { return fault }
        if !c.positions.allSatisfy({ $0.x.isFinite && $0.y.isFinite && $0.z.isFinite }) {
          return "positions not finite"
        }
      }
      return file.problem.flatMap(flaw)
    } catch { return flaw(of: error) }
  }

  private static func shape(_ c: Configuration) -> String? {
    if c.count == 0 || c.positions.count != c.count { return "positions for \(c.positions.count) of \(c.count) atoms" }
    if let forces = c.labels.forces, forces.count != c.count { return "forces for \(forces.count) of \(c.count) atoms" }
    // What was read can be written and digested.
    _ = ExtendedXYZWriter().frame(c)
    _ = c.structureDigest()
    return nil
  }

  // MARK: pipeline files

  private static let pipelineText = """
    // comment
    { sluice: 1, project: 'tungsten', elements: ['W', 'Re'], inbox: '../inbox', outbox: '../outbox', settle: 2,
      stages: [
        { use: 'ingest', steps: 'all' },
        { use: 'screen', converged: true, maxForce: 100 },
        { use: 'featurize', cutoff: 5.0, order: 3, functions: 120 }, /* linear ACE */
        { use: 'refit', weights: { energy: 30, forces: 1, stress: .5 }, ensemble: { method: 'bootstrap', members: 16 } },
        { use: 'recluster', clusters: 'auto' },
        { use: 'candidates', pools: ['../pool'] },
        { use: 'rank', score: 'novelty', top: 0x1e },
        { use: 'publish', lammps: true, structures: "vasp", note: 'a\\n\\u00e9' },
      ] }
    """

  private static let stages: StageRegistry = Dictionary(
    uniqueKeysWithValues: ([
      IngestStage.self, ScreenStage.self, FeaturizeStage.self, RefitStage.self, ReclusterStage.self,
      CandidatesStage.self, RankStage.self, PublishStage.self,
    ] as [any Stage.Type]).map { ($0.description.name, $0) })

  static let pipeline = FuzzTarget(
    "pipeline", seeds: [Array(pipelineText.utf8)],
    tokens: [
      "{", "}", "[", "]", "[[[[[[[[", "'", "\"", "/*", "//", ":", ",", "\\u", "\\uD800", "null", "Infinity",
      "{use:'ingest'}", "threads: 1e300,",
    ]
  ) { mutant in
    do throws(ParameterError) {
      let first = try PipelineFile(mutant.bytes, path: "/project/a.json5", stages: stages)
      if mutant.damage == .cut, first.stages.count != 8 { return "a cut pipeline file was accepted" }
      _ = try? Planner(stages: stages).plan(first)
      return nil
    } catch {
      if error.message.isEmpty || error.file.isEmpty || error.place.line < 1 {
        return "an error without cause or place"
      }
      let lines = mutant.bytes.count { $0 == 0x0A || $0 == 0x0D } + 1
      return error.place.line > lines ? "an error on line \(error.place.line) of \(lines)" : nil
    }
  }
}
