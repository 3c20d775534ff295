import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

/// Files broken in one place: the message names the line, the field, and what would be right.
@Suite struct BrokenFileTests {
  /// Two elements; every kind of block; line numbers are those of the tests below.
  static let yaml = """
    global:
      DeltaSplineBins: 0.001
    species:
      - speciesblock: Cu
        ndensityi: 1
        npoti: FinnisSinclairShiftedScaled
        parameters: [1, 1]
        nradmaxi: 2
        lmaxi: 2
        rcutij: 4
        dcutij: 0.01
        inner_cutoff_type: distance
        nradbaseij: 3
        radbase: ChebExpCos
        radparameters: [5.25]
        radcoefficients: [[[1, 0, 0], [1, 0, 0], [1, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 1, 0]]]
        core-repulsion: [0, 1]
        nbody:
          - {type: Cu Cu, nr: [3], nl: [0], c: [0.5]}
          - {type: Cu Cu Cu, nr: [1, 2], nl: [1, 1], c: [0.25]}
          - {type: Cu Cu Cu Cu, nr: [1, 1, 2], nl: [1, 1, 2], lint: [2], c: [-1]}
      - speciesblock: Zr
        ndensityi: 1
        npoti: FinnisSinclairShiftedScaled
        parameters: [1, 1]
        nradmaxi: 1
        lmaxi: 0
        rcutij: 4
        dcutij: 0.01
        inner_cutoff_type: distance
        nradbaseij: 1
        radbase: SBessel
        radparameters: [0]
        radcoefficients: [[[1]]]
        nbody: []
      - speciesblock: Cu Zr
        nradmaxi: 1
        lmaxi: 0
        rcutij: 4
        dcutij: 0.01
        inner_cutoff_type: distance
        nradbaseij: 1
        radbase: SBessel
        radparameters: [0]
        radcoefficients: [[[1]]]
        nbody:
          - {type: Cu Cu Zr, nr: [1, 1], nl: [0, 0], c: [2]}

    """

  @Test func theWholeFileReads() throws {
    let potential = try Potential(yaml: Array(Self.yaml.utf8))
    #expect(potential.coefficients == [[0.5, 0.25, 2, -1], []])
  }

  @Test(
    arguments: [
      ("DeltaSplineBins: 0.001", "DeltaSplineBins: -1", 2, "DeltaSplineBins", "positive"),
      ("speciesblock: Cu Zr", "speciesblock: Cu Zx", 36, "speciesblock", "'Zx' is not an element"),
      ("speciesblock: Cu Zr", "speciesblock: Zr", 36, "speciesblock", "twice"),
      ("speciesblock: Cu Zr", "speciesblock: Al Zr", 36, "speciesblock", "block of its own"),
      ("ndensityi: 1\n    npoti: Finnis", "ndensityi: 2\n    npoti: Finnis", 7, "parameters", "per density"),
      ("nradmaxi: 2", "nradmaxi: 2000", 8, "nradmaxi", "0...200"),
      ("nradmaxi: 2", "nradmaxi: 3", 16, "radcoefficients", "shape [3][3][3]"),
      ("lmaxi: 2", "lmaxi: 11", 9, "lmaxi", "0...10"),
      ("lmaxi: 2", "lmaxi: 1.5", 9, "lmaxi", "integer"),
      ("lmaxi: 2", "lmaxi:", 9, "lmaxi", "integer"),
      (
        "rcutij: 4\n    dcutij: 0.01\n    inner_cutoff_type: distance\n    nradbaseij: 3",
        "rcutij: -4\n    dcutij: 0.01\n    inner_cutoff_type: distance\n    nradbaseij: 3", 14, "rcutij", "positive"
      ),
      (
        "dcutij: 0.01\n    inner_cutoff_type: distance\n    nradbaseij: 3",
        "dcutij: 0\n    inner_cutoff_type: distance\n    nradbaseij: 3", 14, "dcutij", "positive"
      ),
      (
        "inner_cutoff_type: distance\n    nradbaseij: 3", "inner_cutoff_type: far\n    nradbaseij: 3", 12,
        "inner_cutoff_type", "density, distance or zbl"
      ),
      ("radbase: ChebExpCos", "radbase: Gauss", 14, "radbase", "'Gauss' is none of"),
      ("radparameters: [5.25]", "radparameters: []", 14, "radparameters", "needs one"),
      ("[0, 1, 0]]]", "[0, 1, x]]]", 16, "radcoefficients", "'x'"),
      ("core-repulsion: [0, 1]", "core-repulsion: [0]", 17, "core-repulsion", "two numbers"),
      ("{type: Cu Cu, nr", "{nr", 19, "type", "missing"),
      ("type: Cu Cu Cu Cu", "type: Cu Cu Cu Zr", 21, "type", "'Zr' does not belong to the block Cu"),
      ("type: Cu Cu Zr", "type: Zr Cu Zr", 47, "type", "must be the block's, Cu"),
      ("nr: [3], nl: [0]", "nr: [4], nl: [0]", 19, "nbody", "n = 4 is beyond its bond's 1...3"),
      ("nr: [1, 2], nl", "nr: [1], nl", 20, "nr", "needs 2 numbers"),
      ("nr: [1, 2], nl", "nr: [0, 2], nl", 20, "nr", "must not be below 1"),
      ("nl: [1, 1], c", "nl: [1, 2], c", 20, "nl", "odd sum"),
      ("nl: [1, 1], c", "nl: [0, 2], c", 20, "nl", "not possible"),
      ("nl: [0], c: [0.5]", "nl: [1], c: [0.5]", 19, "nl", "[0] with one neighbour"),
      (", lint: [2]", "", 21, "lint", "missing"),
      ("lint: [2]", "lint: [1]", 21, "lint", "not possible"),
      ("c: [-1]", "c: [-1, 2]", 21, "c", "one per density"),
      ("c: [-1]", "c: [nan]", 21, "c", "finite number"),
      ("c: [-1]}", "c: [-1]", 22, "", "',' or a closing bracket"),
      ("nbody: []", "nbody: {}", 35, "nbody", "list is expected"),
      ("species:\n", "kinds:\n", 1, "species", "missing"),
    ] as [(String, String, Int, String, String)])
  func coupledFunctions(_ old: String, _ new: String, _ line: Int, _ field: String, _ words: String) throws {
    let text = Self.yaml.replacing(old, with: new, maxReplacements: 1)
    #expect(text != Self.yaml, "'\(old)' stands in the file")
    Self.expect(line, field, words, "\(new)") { try Potential(yaml: Array(text.utf8)) }
  }

  @Test(
    arguments: [
      ("elements: [Cu, Zr]", "elements: [Zr, Cu]", "elements", "sorted by symbol"),
      ("elements: [Cu, Zr]", "elements: [Cu, Qq]", "elements", "'Qq' is not an element"),
      ("E0: [0, 0]", "E0: [0]", "E0", "one number per element"),
      ("deltaSplineBins: 0.001", "deltaSplineBins: 0", "deltaSplineBins", "positive"),
      ("  1: {ndensity", "  2: {ndensity", "1", "missing"),
      ("npoti: FinnisSinclairShiftedScaled", "npoti: Square", "npoti", "'Square' is not a known embedding"),
      ("FS_parameters: [1, 1]", "FS_parameters: [1]", "FS_parameters", "two numbers per density"),
      ("  [0, 1]: {", "  [0, 7]: {", "bonds", "two element indices"),
      ("  [1, 0]: {", "  [0, 0]: {", "bonds", "[1, 0] is missing"),
      ("radbasename: ChebExpCos", "radbasename: ACE.jl.Basic", "radbasename", "ACE.jl are not supported"),
      ("rcut: 4", "rcut: 400", "rcut", "at most 100"),
      ("lmax: 2", "lmax: 99", "lmax", "0...10"),
      ("prehc: 0", "prehc: big", "prehc", "finite number"),
      ("inner_cutoff_type: distance", "inner_cutoff_type: none", "inner_cutoff_type", "density, distance or zbl"),
      ("mu0: 0", "mu0: 1", "mu0", "must be 0, not 1"),
      ("rank: 2", "rank: 7", "rank", "1...6"),
      ("rank: 2", "rank: 3", "mus", "needs 3 numbers"),
      ("mus: [0, 0]", "mus: [0, 2]", "mus", "0...1"),
      ("ls: [1, 1]", "ls: [1, 2]", "ls", "odd sum"),
      ("num_ms_combs: 1, mus: [0], ns: [3]", "num_ms_combs: 2, mus: [0], ns: [3]", "ms_combs", "needs 2 numbers"),
      ("ms_combs: [0], ctildes: [0.5]", "ms_combs: [0], ctildes: [0.5, 1]", "ctildes", "needs 1 numbers"),
      ("ms_combs: [0, 0, 1, -1]", "ms_combs: [0, 0, 1, 1]", "ms_combs", "[1, 1] is not possible"),
      ("ms_combs: [0, 0, 1, -1]", "ms_combs: [0, 0, 2, -2]", "ms_combs", "[2, -2] is not possible"),
      ("ms_combs: [0, 0, 1, -1]", "ms_combs: [0, 0, 0, 0]", "functions", "not a rotation invariant"),
      ("ns: [3], ls", "ns: [9], ls", "functions", "n = 9 is beyond its bond's 1...3"),
    ] as [(String, String, String, String)])
  func expandedFunctions(_ old: String, _ new: String, _ field: String, _ words: String) throws {
    let whole = String(decoding: try Potential(yaml: Array(Self.yaml.utf8)).yace, as: UTF8.self)
    let text = whole.replacing(old, with: new, maxReplacements: 1)
    #expect(text != whole, "'\(old)' stands in the file: \(whole)")
    // The first line that changed, or for what is missing the place where it should be.
    let (a, b) = (whole.split(separator: "\n"), text.split(separator: "\n"))
    let changed = 1 + (zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset ?? 0)
    let missing = words.contains("missing")
    Self.expect(missing ? nil : changed, field, words, "\(new)") { try Potential(yace: Array(text.utf8)) }
  }

  private static func expect(
    _ line: Int?, _ field: String, _ words: String, _ label: String, _ read: () throws -> Potential
  ) {
    do {
      _ = try read()
      Issue.record("\(label) was accepted")
    } catch let error as PotentialFileError {
      #expect(error.line != nil, "\(label): \(error)")
      if let line { #expect(error.line == line, "\(label): \(error)") }
      #expect(error.field == field, "\(label): \(error)")
      #expect(error.description.contains(words), "\(label): \(error)")
    } catch { Issue.record("\(label): \(error)") }
  }
}
