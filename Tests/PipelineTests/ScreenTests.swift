import Configurations
import Engine
import Platform
import Screen
import StageKit
import Testing
import TungstenReference

/// The screen by itself, on made-up sources of several settings.
@Suite struct ScreenTests {
  /// A source: its settings and how many usable frames it has.
  private struct Dropped {
    var name: String
    var settings: CalculationSettings
    var frames: Int
    var isConverged = true

    init(
      _ name: String, frames: Int, _ functional: String? = "PBE", encut: Double? = 520, spin: Bool? = false,
      potcar: String? = "PAW_PBE W_sv 04Sep2015", kPoints: String? = nil, prec: String? = nil
    ) {
      self.name = name
      self.frames = frames
      settings = CalculationSettings()
      settings.functional = functional
      settings.planeWaveCutoff = encut
      settings.spinPolarised = spin
      settings.pseudopotentials = potcar.map { [$0] }
      settings.kPoints = kPoints
      settings.other = prec.map { ["PREC": $0] } ?? [:]
    }
  }

  private struct Screened {
    var result: FoldResult
    var screening: Screening
    /// Frames kept, by the source's name.
    var kept: [String: Int]

    var messages: String { result.diagnostics.map(\.description).joined(separator: "\n") }
    func diagnostic(_ code: String) -> Diagnostic? { result.diagnostics.first { $0.code == code } }
    func group(_ name: String) -> Screening.SettingsGroup? { screening.settingsGroups.first { $0.name == name } }
  }

  private func stage(_ members: [(String, ParameterValue.Content)]) throws(ParameterError) -> ScreenStage {
    let value = ParameterValue(
      .object(
        members.map { .init(key: $0.0, keyPlace: TextPlace(line: 1, column: 1), value: ParameterValue($0.1)) }))
    var decoder = try ParameterDecoder(value)
    let stage = try ScreenStage(parameters: &decoder)
    try decoder.finish()
    return stage
  }

  private func screen(_ sources: [Dropped], _ members: [(String, ParameterValue.Content)] = []) throws -> Screened {
    let store = InMemoryActionStore()
    func part(_ name: String, _ bytes: [UInt8]) throws -> ArtifactPart {
      ArtifactPart(name: name, digest: try store.put(bytes), size: bytes.count)
    }
    var random = RandomNumbers(seed: 5)
    let items = try sources.map { dropped in
      let frames = (0..<dropped.frames).map { index in
        var frame = Samples.potential.label(
          TungstenStructures.displaced(TungstenStructures.bulk((1, 1, 1)), amplitude: 0.1, &random))
        frame.labels.electronicallyConverged = dropped.isConverged
        return FrameSummary(
          frame: index, of: frame, group: nil, unit: Digest(of: dropped.name),
          content: frame.structureDigest(tolerance: 1e-4))
      }
      return SourceArtifact(
        source: Source(digest: Digest(of: dropped.name), name: dropped.name),
        artifact: Artifact(
          kind: .configurations,
          parts: [
            try part("frames.json", try CanonicalJSON.encode(frames)),
            try part("settings.json", try CanonicalJSON.encode(dropped.settings)),
          ]))
    }
    let context = StageContext(
      project: "test", elements: [Element(symbol: "W")!], threads: 1, objects: Objects(store: store))
    let result = try stage(members).process(StageInputs(collections: [.configurations: items]), context)
    let bytes = try #require(result.wholes.first?.parts.first?.bytes)
    let kept = try sources.map { dropped in
      let draft = try #require(result.perSource[Digest(of: dropped.name)]?.first?.parts.first)
      return (dropped.name, try CanonicalJSON.decode(FrameSelection.self, draft.bytes).kept.count)
    }
    return Screened(
      result: result, screening: try CanonicalJSON.decode(Screening.self, bytes),
      kept: Dictionary(uniqueKeysWithValues: kept))
  }

  private struct Objects: ObjectAccess {
    func forgetMemo(_ key: Digest) throws {}
    let store: InMemoryActionStore
    func bytes(_ part: ArtifactPart) throws -> [UInt8] { try store.bytes(part) }
    func memo(_ key: Digest) throws -> [UInt8]? { try store.memo(key) }
    func keep(_ bytes: [UInt8], for key: Digest) throws { try store.keep(bytes, for: key) }
  }

  private static let mixed = [
    Dropped("a", frames: 3), Dropped("b", frames: 2), Dropped("low", frames: 1, encut: 400),
    Dropped("spin", frames: 1, spin: true), Dropped("low-spin", frames: 1, encut: 400, spin: true),
    Dropped("lda", frames: 2, "LDA", potcar: "PAW W 19Jan2001"),
  ]

  // MARK: groups

  @Test func theLargestGroupStaysAndTheOthersAreNamed() throws {
    let screened = try screen(Self.mixed)
    #expect(screened.kept == ["a": 3, "b": 2, "low": 0, "spin": 0, "low-spin": 0, "lda": 0])
    let groups = screened.screening.settingsGroups
    #expect(groups.map(\.frames) == [5, 2, 1, 1, 1])
    #expect(groups.map(\.isUsed) == [true, false, false, false, false])
    #expect(groups[0].differences.isEmpty)
    let text = try #require(screened.diagnostic("settings-differ")).cause
    #expect(text.contains("ENCUT 400 vs 520 in 1 of 6 sources"), "\(text)")
    #expect(text.contains("spin polarisation on vs off in 1 of 6 sources"))
    #expect(text.contains("ENCUT 400 vs 520, spin polarisation on vs off in 1 of 6 sources"))
    #expect(
      text.contains(
        "functional LDA vs PBE, POTCAR of W 'PAW W 19Jan2001' vs 'PAW_PBE W_sv 04Sep2015' in 1 of 6 sources"))
    let used = try #require(screened.diagnostic("settings-left-out"))
    #expect(used.cause.contains("Used: the largest group 'functional=PBE, ENCUT=520, ISPIN=1' (2 sources, 5 frames)"))
    #expect(used.cause.contains("'functional=LDA' (1 source, 2 frames)"))
    #expect(used.remedy.contains("settings: 'functional=PBE, ENCUT=520, ISPIN=1'"))
    #expect(screened.screening.reasons.map(\.reason) == [.inconsistentSettings])
    #expect(screened.screening.reasons[0].frames == 5)
  }

  @Test func agreementIsSilent() throws {
    let screened = try screen([Dropped("a", frames: 1), Dropped("b", frames: 2)])
    #expect(screened.result.diagnostics.isEmpty, "\(screened.messages)")
    #expect(screened.screening.settingsGroups.count == 1)
    #expect(try screen([]).screening.settingsGroups.isEmpty)
  }

  @Test func tiesAreBrokenBySourcesAndThenByText() throws {
    let few = try screen([Dropped("a", frames: 2, encut: 400), Dropped("b", frames: 1), Dropped("c", frames: 1)])
    #expect(few.group("ENCUT=520")?.isUsed == true)
    let tie = try screen([Dropped("a", frames: 2, encut: 520), Dropped("b", frames: 2, encut: 400)])
    #expect(tie.group("ENCUT=400")?.isUsed == true)
    #expect(try #require(tie.diagnostic("settings-left-out")).cause.contains("as large as the next"))
  }

  @Test func framesThatTheScreenRefusesDoNotCount() throws {
    var broken = Dropped("broken", frames: 9, encut: 400)
    broken.isConverged = false
    let screened = try screen([broken, Dropped("a", frames: 1)])
    #expect(screened.screening.settingsGroups.count == 1)
    #expect(screened.kept == ["broken": 0, "a": 1])
  }

  @Test func whatIsNotStatedSeparatesNobody() throws {
    let screened = try screen([
      Dropped("a", frames: 2), Dropped("b", frames: 1, encut: 400),
      Dropped("silent", frames: 4, nil, encut: nil, spin: nil, potcar: nil),
    ])
    #expect(screened.kept == ["a": 2, "b": 0, "silent": 4])
    #expect(try #require(screened.diagnostic("settings-not-stated")).cause.hasPrefix("1 source "))
  }

  @Test func elementsOfOneKindOfPOTCARDoNotConflict() throws {
    var alloy = Dropped("alloy", frames: 1)
    alloy.settings.pseudopotentials = ["PAW_PBE W_sv 04Sep2015", "PAW_PBE Re 17Jan2003"]
    let screened = try screen([
      alloy, Dropped("a", frames: 1), Dropped("re", frames: 1, potcar: "PAW_PBE Re 17Jan2003"),
    ])
    #expect(screened.screening.settingsGroups.count == 1)
  }

  // MARK: policy

  /// `{ … }` or text, and what stays of the sources in `mixed`.
  private static let policies: [(ParameterValue.Content, [String: Int])] = {
    func object(_ members: [(String, ParameterValue.Content)]) -> ParameterValue.Content {
      let place = TextPlace(line: 1, column: 1)
      return .object(members.map { .init(key: $0.0, keyPlace: place, value: ParameterValue($0.1)) })
    }
    return [
      (.text("largest"), ["a": 3, "b": 2]),
      (.text("all"), ["a": 3, "b": 2, "low": 1, "spin": 1, "low-spin": 1, "lda": 2]),
      (object([("ENCUT", .number(400)), ("ISPIN", .number(1))]), ["low": 1]),
      (.text("ENCUT=400, ISPIN=2"), ["low-spin": 1]),
      (.text("spin polarisation=on, encut=520.0"), ["spin": 1]),
      (.text("GGA=LDA"), ["lda": 2]),
      (.text("POTCAR.W=PAW W 19Jan2001"), ["lda": 2]),
      (object([("POTCAR.W", .text("W_sv")), ("ENCUT", .number(520))]), ["a": 3, "b": 2]),
    ]
  }()

  @Test(arguments: policies.indices) func policiesKeepWhatTheyName(_ index: Int) throws {
    let (policy, expected) = Self.policies[index]
    let screened = try screen(Self.mixed, [("settings", policy)])
    #expect(screened.kept.filter { $0.value > 0 } == expected, "\(policy)")
  }

  /// The name that messages print for a group names that group and no other.
  @Test func namesInMessagesAreNamesInTheFile() throws {
    for group in try screen(Self.mixed).screening.settingsGroups {
      let screened = try screen(Self.mixed, [("settings", .text(group.name))])
      #expect(screened.screening.settingsGroups.filter(\.isUsed).map(\.name) == [group.name])
      #expect(screened.diagnostic("settings-several") == nil)
    }
  }

  @Test func differencesAreToldFromTheGroupThatIsUsed() throws {
    let screened = try screen(Self.mixed, [("settings", .text("functional=LDA"))])
    let text = try #require(screened.diagnostic("settings-differ")).cause
    #expect(text.contains("functional PBE vs LDA"), "\(text)")
    #expect(
      try #require(screened.diagnostic("settings-left-out")).cause.hasPrefix("Used: the group named 'functional=LDA'"))
  }

  @Test func anOpenNameTakesTheLargestAndSaysSo() throws {
    let screened = try screen(Self.mixed, [("settings", .text("ENCUT=520"))])
    #expect(screened.kept.filter { $0.value > 0 } == ["a": 3, "b": 2])
    let several = try #require(screened.diagnostic("settings-several"))
    #expect(several.cause.contains("describes 3 groups"), "\(several)")
    #expect(several.remedy.contains("'functional=PBE, ENCUT=520, ISPIN=1'"))
  }

  @Test func allIsMixedAndSaysSo() throws {
    let screened = try screen(Self.mixed, [("settings", .text("all"))])
    #expect(screened.diagnostic("settings-mixed")?.severity == .warning)
    #expect(screened.screening.settingsGroups.filter { !$0.isUsed }.isEmpty)
  }

  @Test func aNameThatNobodyHasStopsWithTheNamesThereAre() throws {
    do {
      _ = try screen(Self.mixed, [("settings", .text("ENCUT=600"))])
      Issue.record("a group was found")
    } catch let error as StageError {
      #expect(error.cause.contains("no source has ENCUT=600"))
      #expect(error.cause.contains("'functional=LDA' (1)"), "\(error)")
    }
    #expect(try screen([], [("settings", .text("ENCUT=600"))]).screening.frames == 0)
  }

  @Test(arguments: [
    ("larges", "did you mean 'largest'?"), ("ENCUT", "ENCUT=520"), ("ENCT=500", "did you mean 'ENCUT'?"),
    ("ENCUT=500, ENCUT=400", "given twice"), ("ENCUT=", "names no value"), ("PREC=Accurate", "is no setting"),
  ]) func whatNamesNothingIsRefused(words: String, expected: String) {
    do {
      _ = try stage([("settings", .text(words))])
      Issue.record("'\(words)' was read")
    } catch {
      #expect("\(error)".contains(expected), "\(error)")
    }
  }

  // MARK: further settings

  @Test func furtherSettingsCountWhereAsked() throws {
    let sources = [
      Dropped("a", frames: 2, kPoints: "Gamma 4 4 4", prec: "Accurate"),
      Dropped("b", frames: 1, kPoints: "Gamma 8 8 8", prec: "Normal"), Dropped("c", frames: 1, prec: "Accurate"),
    ]
    let carried = try screen(sources)
    #expect(carried.kept == ["a": 2, "b": 1, "c": 1])
    let note = try #require(carried.diagnostic("settings-vary"))
    #expect(note.severity == .note)
    #expect(note.cause.contains("PREC Accurate in 2, Normal in 1"), "\(note)")
    #expect(note.cause.contains("k-points Gamma 4 4 4 in 1, Gamma 8 8 8 in 1"))
    let compared = try screen(sources, [("alsoCompare", .list([ParameterValue(.text("PREC"))]))])
    #expect(compared.kept == ["a": 2, "b": 0, "c": 1])
    #expect(compared.messages.contains("PREC Normal vs Accurate in 1 of 3 sources"))
    let named = try screen(
      sources, [("alsoCompare", .list([ParameterValue(.text("PREC"))])), ("settings", .text("PREC=Normal"))])
    #expect(named.kept == ["a": 0, "b": 1, "c": 0])
    #expect(throws: ParameterError.self) { try stage([("alsoCompare", .list([ParameterValue(.text("prec"))]))]) }
  }

  // MARK: laws

  /// Groups are a function of the set: neither the order of the sources nor what is not there matters.
  @Test func groupsDependOnTheSetAlone() throws {
    var random = RandomNumbers(seed: 8)
    let all = (0..<12).map { index in
      Dropped(
        "source \(index)", frames: Int.random(in: 1...3, using: &random), index % 4 == 3 ? nil : "PBE",
        encut: [400, 520, nil].randomElement(using: &random)!, spin: [true, false, nil].randomElement(using: &random)!)
    }
    let expected = try screen(all)
    for _ in 0..<4 {
      let other = try screen(all.shuffled(using: &random))
      #expect(other.screening.settingsGroups == expected.screening.settingsGroups)
      #expect(other.messages == expected.messages)
    }
    // No two sources of a group contradict each other, and every source is in one.
    let groups = expected.screening.settingsGroups
    #expect(groups.flatMap(\.sources).sorted() == all.map { Digest(of: $0.name) }.sorted())
    for group in groups {
      let members = all.filter { group.sources.contains(Digest(of: $0.name)) }
      #expect(Set(members.compactMap(\.settings.planeWaveCutoff)).count <= 1)
      #expect(Set(members.compactMap(\.settings.spinPolarised)).count <= 1)
    }
  }
}
