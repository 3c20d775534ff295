import ACE
import Configurations
import LinearAlgebra

extension FuzzTarget {
  private static let yamlText = """
    # a comment
    metadata: {time: 2020-01-01 10:00:00, who: 'it''s me'}
    global: {DeltaSplineBins: 1.0e-3}
    species:
    - speciesblock: Si
      ndensityi: 1
      npoti: FinnisSinclairShiftedScaled
      parameters:
        - 1.0
        - 1
      nradmaxi: 1
      lmaxi: 1
      rcutij: 4   # angstrom
      dcutij: 0.01
      nradbaseij: 2
      radbase: ChebExpCos
      radparameters: [ 5.25 ]
      radcoefficients: [[[1, 0],
                         [1, 0]]]
      nbody:
        - {type: Si Si Si, nr: [1, 1],
           nl: [1, 1], c: [0.25]}
        - type: Si Si
          nr: [2]
          nl: [0]
          c: [-.5e0]

    """

  private static let potentialTokens = [
    "[", "]", "{", "}", "- ", ": ", "\n  ", "\"", "'", "nan", "1e400", "9999", "-1", "&a ", "*a", "|", "lmaxi: 9999",
    "rank: 6",
    "ndensityi: 10000", "radbase: SBessel", "[[[[[[[[", "\\x", "# ",
  ]

  /// What our writer makes of the text above, so that its own layout is attacked as well.
  private static let written: (yaml: [UInt8], yace: [UInt8]) = {
    guard let potential = try? Potential(yaml: Array(yamlText.utf8)) else {
      return (Array(yamlText.utf8), [0x7B, 0x7D])
    }
    return (potential.yaml, potential.yace)
  }()

  static let potentialYAML = FuzzTarget(
    "potential-yaml", seeds: [Array(yamlText.utf8), written.yaml], tokens: potentialTokens
  ) { mutant in
    do throws(PotentialFileError) {
      let potential = try Potential(yaml: mutant.bytes)
      if !potential.coefficients.joined().allSatisfy(\.isFinite) { return "a coefficient that is not finite" }
      // What was read is written, and read as the same again.
      guard var again = try? Potential(yaml: potential.yaml) else { return "its own .yaml is refused" }
      // Control characters of a comment are not kept.
      again.metadata = potential.metadata
      return again == potential ? nil : "its own .yaml reads as another potential"
    } catch { return flaw(of: error) }
  }

  static let potentialYACE = FuzzTarget("potential-yace", seeds: [written.yace], tokens: potentialTokens) { mutant in
    do throws(PotentialFileError) {
      let file = try CTildeFile(decoding: mutant.bytes)
      guard let again = try? CTildeFile(decoding: file.encoded), again == file else { return "its own .yace differs" }
      _ = try Potential(yace: mutant.bytes)
      return nil
    } catch { return flaw(of: error) }
  }

  private static let setFile = ActiveSetFile([
    (Element(symbol: "Zr")!, Matrix([[1, 2], [3, 4]])), (Element(symbol: "Cu")!, Matrix([[0.1]])),
  ])

  static let activeSet = FuzzTarget(
    "active-set", seeds: [setFile.encoded], tokens: ["PK\u{1}\u{2}", "PK\u{5}\u{6}", "'shape': (99999999999, 9)"]
  ) {
    mutant in
    do throws(PotentialFileError) {
      let file = try ActiveSetFile(decoding: mutant.bytes)
      if case .byte = mutant.damage, file != setFile, file.inverses.map(\.inverse) != setFile.inverses.map(\.inverse) {
        return "damage under a check sum was not seen"
      }
      return mutant.damage == .cut ? "a cut archive was accepted" : nil
    } catch { return flaw(of: error) }
  }

  private static func flaw(of error: PotentialFileError) -> String? {
    error.cause.isEmpty ? "an error without a cause" : FuzzTargets.flaw(of: error.diagnostic(file: "a.yaml"))
  }
}
