import Configurations
import Foundation
import Platform
import StageKit
import Testing

/// The documented encodings of what flows between stages.
@Suite struct NounTests {
  private struct Sample: Codable, Equatable {
    var zeta = 0.1
    var alpha = "a/b"
    var numbers: [Double] = [1e-300, 1.0 / 3, -0.0, 5e22, Double.greatestFiniteMagnitude]
    var optional: Int?
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func oneValueHasOneText() throws {
    let bytes = try CanonicalJSON.encode(["b": 1, "a": 2, "B": 3])
    #expect(Self.text(bytes) == "{\"B\":3,\"a\":2,\"b\":1}\n")
    #expect(Self.text(try CanonicalJSON.encode(Sample())).hasPrefix("{\"alpha\":\"a/b\",\"numbers\":["))
    #expect(Self.text(try CanonicalJSON.encode([0.1])) == "[0.1]\n", "the shortest text that reads back")
    let pretty = try CanonicalJSON.encode(Sample(), pretty: true)
    #expect(Self.text(pretty).contains("\n  \"alpha\""))
    #expect(try CanonicalJSON.decode(Sample.self, pretty) == Sample())
  }

  @Test func numbersReadBackToTheBit() throws {
    let values = Sample().numbers + [Double.leastNormalMagnitude, 0.1 + 0.2, 123456789.123456789]
    let back = try CanonicalJSON.decode([Double].self, CanonicalJSON.encode(values))
    #expect(back.map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func gradesOutsideTheSpanReadBack() throws {
    #expect(Self.text(try CanonicalJSON.encode([Double.infinity, -.infinity])) == "[\"Infinity\",\"-Infinity\"]\n")
    let grades = CandidateGrades(global: [1, .infinity], local: [-.infinity, 0.5])
    #expect(try CanonicalJSON.decode(CandidateGrades.self, CanonicalJSON.encode(grades)) == grades)
    let nan = try CanonicalJSON.decode([Double].self, CanonicalJSON.encode([Double.nan]))
    #expect(nan[0].isNaN)
  }

  /// Reasons are counted by name in files that people keep.
  @Test func screenReasonsAreDistinctAndStable() throws {
    #expect(
      ScreenReason.allCases.map(\.rawValue) == [
        "machine-learned", "unconverged", "not-finite", "no-energy", "no-forces", "large-force", "foreign-element",
        "inconsistent-settings", "duplicate",
      ])
    #expect(Set(ScreenReason.allCases.map(\.words)).count == ScreenReason.allCases.count)
    let selection = FrameSelection(kept: [0, 2], setAside: [SetAside(frame: 1, ionicStep: 7, reason: .largeForce)])
    let bytes = try CanonicalJSON.encode(selection)
    #expect(
      Self.text(bytes)
        == "{\"kept\":[0,2],\"setAside\":[{\"frame\":1,\"ionicStep\":7,\"reason\":\"large-force\"}]}\n")
    #expect(try CanonicalJSON.decode(FrameSelection.self, bytes) == selection)
  }

  @Test func screeningReadsBack() throws {
    var screening = Screening(frames: 10, kept: 8)
    let source = Digest(of: "a")
    screening.reasons = [
      Screening.Count(
        reason: .duplicate, words: ScreenReason.duplicate.words, frames: 2,
        examples: [Screening.Example(source: source, ionicStep: 3)])
    ]
    screening.settingsGroups = [
      Screening.SettingsGroup(
        name: "ENCUT=400", settings: "PBE", sources: [source], frames: 8, isUsed: false,
        differences: ["ENCUT 400 vs 520"])
    ]
    #expect(try CanonicalJSON.decode(Screening.self, CanonicalJSON.encode(screening)) == screening)
  }

  @Test func featureIndicesReadBack() throws {
    let text = """
      {"basis":"\(Digest(of: "basis"))","coreEnergies":{"W":0.5},"environments":[{"element":"W","functions":20,"rows":16}],
      "frames":[{"atoms":16,"block":4,"composition":[16],"energyPerAtom":-8.5,"frame":3,"group":"bulk","ionicStep":30,
      "level":1}],"isolatedAtoms":{"W":-4.5},"shortestDistances":{"W-W":2.5}}
      """
    let index = try CanonicalJSON.decode(FeatureIndex.self, Array(text.utf8))
    let frame = FeatureIndex.Frame(
      frame: 3, ionicStep: 30, atoms: 16, group: "bulk", block: 4, level: 1, composition: [16], energyPerAtom: -8.5)
    #expect(index.frames == [frame] && index.isolatedAtoms == ["W": -4.5])
    #expect(index.environments == [.init(element: "W", rows: 16, functions: 20)])
    #expect(index.basis == Digest(of: "basis"))
    #expect(try CanonicalJSON.decode(FeatureIndex.self, CanonicalJSON.encode(index)) == index)
    var other = index
    other.environments[0].rows = 17
    #expect(index != other)
    #expect(FeatureIndex.environmentsPart("W") == "environments-W.npy")
    #expect(FeatureIndex.sitesPart("W") == "sites-W.npy")
  }

  @Test func quarantinedInputsReadBack() throws {
    let input = QuarantinedInput(
      stage: "ingest", name: "run7/OUTCAR",
      diagnostic: Diagnostic(
        .error, code: "malformed-xml", place: .init(file: "run7/OUTCAR", line: 3, ionicStep: 1), cause: "it is broken.",
        remedy: "Copy it again."))
    #expect(try CanonicalJSON.decode(QuarantinedInput.self, CanonicalJSON.encode(input)) == input)
    let attachment = Attachment(path: "template", name: "INCAR", bytes: [1])
    #expect(attachment != Attachment(path: "template", name: "INCAR", bytes: [2]))
    #expect(attachment != Attachment(path: "other", name: "INCAR", bytes: [1]))
  }
}
