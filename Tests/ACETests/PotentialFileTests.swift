import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

@Suite struct PotentialFileTests {
  private static func potential(
    _ symbols: [String] = ["W", "Mo", "Al"], scales: [Double] = [1e-12, 1, 1e9]
  ) throws -> Potential {
    let basis = try Sample.basis(
      symbols, radial: .chebExpCos(lambda: 3.3), order: 4,
      limits: .init(radial: [3, 2, 1, 1], angular: [0, 1, 1, 1]))
    var generator = SeededGenerator(seed: 11)
    let columns = (0..<basis.columnCount).map { _ in
      Double.random(in: -1...1, using: &generator) * scales.randomElement(using: &generator)!
    }
    return try Potential(
      basis: basis, columns: columns,
      referenceEnergies: symbols.indices.map { -12.1 / Double($0 + 3) },
      metadata: ["origin": "a \"test\": with, odd {characters} # and\nlines", "empty": ""])
  }

  @Test func yamlKeepsEveryBit() throws {
    let potential = try Self.potential()
    let again = try Potential(yaml: potential.yaml)
    #expect(again == potential)
    #expect(again.referenceEnergies == potential.referenceEnergies)
    #expect(again.metadata == potential.metadata)
    #expect(again.yaml == potential.yaml)
  }

  @Test func yaceKeepsContentAndEnergies() throws {
    let potential = try Self.potential(["Cu", "Zr"], scales: [1])
    let file = CTildeFile(potential)
    #expect(try CTildeFile(decoding: file.encoded) == file)
    #expect(file.referenceEnergies == potential.referenceEnergies)
    let again = try Potential(yace: potential.yace)
    #expect(again.basis.functions == potential.basis.functions)
    for (a, b) in zip(again.coefficients.joined(), potential.coefficients.joined()) {
      #expect(abs(a - b) <= 1e-12)
    }
  }

  @Test func metadataOfOtherProgramsAddNothing() throws {
    var potential = try Self.potential(["W"])
    potential.referenceEnergies = [0]
    let text = String(decoding: potential.yaml, as: UTF8.self)
    #expect(!text.contains(Potential.referenceEnergyKey))
    #expect(try Potential(yaml: Array(text.utf8)).referenceEnergies == [0])
    potential.referenceEnergies = [-8.25]
    let with = String(decoding: potential.yaml, as: UTF8.self)
    #expect(with.contains("\"\(Potential.referenceEnergyKey)\": \"W: -8.25\""))
    let broken = with.replacing("W: -8.25", with: "Fe: -8.25")
    #expect(throws: PotentialFileError.self) { try Potential(yaml: Array(broken.utf8)) }
  }

  /// A file by hand in block style, out of order, with what pacemaker may leave out.
  private static let byHand = """
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
        - {type: Si Si, nr: [1], nl: [0], c: [9], skip: true}
    """

  @Test func readsBlockStyle() throws {
    let potential = try Potential(yaml: Array(Self.byHand.utf8))
    #expect(potential.coefficients == [[-0.5, 0.25]])
    #expect(potential.metadata == ["time": "2020-01-01 10:00:00", "who": "it's me"])
    #expect(potential.basis.bonds[0][0].innerCutoffKind == .density)
    #expect(potential.basis.bonds[0][0].mixing == nil)
    #expect(potential.embeddings == [.linear])
  }

  @Test(arguments: [
    ("rcutij: 4 ", "rcutij: four", 13, "rcutij"),
    ("radbase: ChebExpCos", "radbase: Morse", 16, "radbase"),
    ("nl: [1, 1]", "nl: [1, 9]", 21, "nl"),
    ("c: [0.25]", "c: [0.25, 1]", 22, "c"),
    ("nr: [2]", "nr: [3]", 23, "nbody"),
    ("[1, 0]]]", "[1, 0, 0]]]", 19, "radcoefficients"),
    ("DeltaSplineBins", "Delta", 3, "DeltaSplineBins"),
    ("npoti: FinnisSinclairShiftedScaled", "npoti: Morse", 7, "npoti"),
    ("ndensityi: 1", "ndensityi: 1\n  ndensityi: 1", 7, "ndensityi"),
    ("type: Si Si\n", "type: Si Ge\n", 23, "type"),
    ("speciesblock: Si", "speciesblock: Xx", 5, "speciesblock"),
    ("[ 5.25 ]", "[ 5.25", nil, ""),
    ("lmaxi: 1", "lmaxi: &a 1", 12, ""),
    ("nr: [2]", "   nr: [2]", 24, ""),
  ]) func errorsNameLineAndField(_ old: String, _ new: String, _ line: Int?, _ field: String) throws {
    let text = Self.byHand.replacing(old, with: new)
    #expect(text != Self.byHand)
    do {
      _ = try Potential(yaml: Array(text.utf8))
      Issue.record("'\(new)' was accepted")
    } catch {
      #expect(line == nil || error.line == line, "\(new): \(error)")
      #expect(field.isEmpty || error.field == field, "\(new): \(error)")
      #expect(error.diagnostic(file: "a.yaml").description.hasPrefix("a.yaml"))
    }
  }

  @Test func truncationNeverCrashes() throws {
    let yaml = Array(Self.byHand.utf8)
    let small = try Self.potential(["W"])
    for (name, bytes) in [("yaml", yaml), ("yaml", small.yaml), ("yace", small.yace)] {
      for count in stride(from: 0, to: bytes.count, by: bytes.count > 2000 ? 7 : 1) {
        let part = Array(bytes[..<count])
        do {
          let potential = try name == "yaml" ? Potential(yaml: part) : Potential(yace: part)
          // What still reads has lost whole functions or digits of the last number only.
          #expect(potential.basis.elements.count == 1)
        } catch is PotentialFileError {}
      }
    }
  }

  /// Bytes changed, doubled and dropped at random: an error or a potential, never a crash.
  @Test func damageNeverCrashes() throws {
    let small = try Self.potential(["W"])
    var generator = SeededGenerator(seed: 77)
    let tokens = [
      "9223372036854775807", "-1", "1e400", "[", "}", "{", ": ", "\n  ", "- ", "nan", "0",
    ]
    for (name, bytes) in [
      ("yaml", Array(Self.byHand.utf8)), ("yaml", small.yaml), ("yace", small.yace),
    ] {
      var outcomes = [0, 0]
      for _ in 0..<400 {
        var damaged = bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let at = Int.random(in: 0..<damaged.count, using: &generator)
          let token = Array(tokens.randomElement(using: &generator)!.utf8)
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: damaged[at] = .random(in: 9...126, using: &generator)
          case 1: damaged.insert(contentsOf: token, at: at)
          case 2: damaged.replaceSubrange(at..<min(at + token.count, damaged.count), with: token)
          default: damaged.remove(at: at)
          }
        }
        do {
          _ = try name == "yaml" ? Potential(yaml: damaged) : Potential(yace: damaged)
          outcomes[0] += 1
        } catch {
          #expect(!error.description.isEmpty)
          outcomes[1] += 1
        }
      }
      #expect(outcomes[0] > 5 && outcomes[1] > 50, "\(name): \(outcomes)")
    }
  }

  @Test func numbersNeedFewestDigits() throws {
    let values = [0.1, 1.0 / 3, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 100_000, 2.0 / 3e7]
    let basis = try Sample.basis(["W"], order: 1, limits: .init(radial: [8], angular: [0]))
    let potential = try Potential(basis: basis, columns: values)
    let again = try Potential(yaml: potential.yaml)
    #expect(again.coefficients[0].map(\.bitPattern) == values.map(\.bitPattern))
    let text = String(decoding: potential.yaml, as: UTF8.self)
    #expect(
      text.contains("c: [0.1]") && text.contains("c: [5e-324]") && text.contains("c: [100000]"))
  }

  @Test func activeSetFilesAreStoredArchives() throws {
    let file = ActiveSetFile([
      (Element(symbol: "Zr")!, Matrix([[1, 2], [3, 4]])), (Element(symbol: "Cu")!, Matrix([[0.1]])),
    ])
    let bytes = file.encoded
    #expect(bytes == file.encoded && bytes.starts(with: [0x50, 0x4B, 3, 4]))
    #expect(file.inverses.map(\.element.symbol) == ["Cu", "Zr"])
    #expect(try ActiveSetFile(decoding: bytes) == file)
    for count in 0..<bytes.count {
      #expect(throws: PotentialFileError.self) {
        try ActiveSetFile(decoding: Array(bytes[..<count]))
      }
    }
    for position in stride(from: 40, to: 200, by: 9) {
      var damaged = bytes
      damaged[position] ^= 0x10
      // Bytes that no reader needs (the date) may change; content is under checksums.
      let read = try? ActiveSetFile(decoding: damaged)
      #expect(read == nil || read == file)
    }
    var content = bytes
    content[bytes.firstRange(of: Array("NUMPY".utf8))!.lowerBound + 130] ^= 1
    #expect(throws: PotentialFileError.self) { try ActiveSetFile(decoding: content) }
    let oblong = ActiveSetFile([(Element(symbol: "Cu")!, Matrix([[1, 2]]))])
    #expect(throws: PotentialFileError.self) { try ActiveSetFile(decoding: oblong.encoded) }
  }
}
