import Foundation
import FuzzTargets
import TestSupport
import Testing

/// Ten thousand damaged inputs over every reader, in a process of its own: a crash, a hang or a
/// runaway of memory ends that process, and the case that did it is known.
@Suite(.serialized) struct MutationTests {
  /// Fixed, so that one commit has one verdict; another one, or `random`, by SLUICE_FUZZ_SEED.
  private static let seed: UInt64 = {
    let text = ProcessInfo.processInfo.environment["SLUICE_FUZZ_SEED"] ?? ""
    return text == "random" ? UInt64.random(in: 1...999_999) : UInt64(text) ?? 20_260_401
  }()

  private static let cases = ProcessInfo.processInfo.environment["SLUICE_FUZZ_CASES"].flatMap { Int($0) } ?? 10_000

  private static let perTarget = (cases + FuzzTarget.all.count - 1) / FuzzTarget.all.count

  @Test func everyReaderSurvivesMutations() async throws {
    let scratch = try ScratchFolder()
    let (seed, count, log) = (Self.seed, Self.perTarget, scratch.path + "/case")
    print("fuzz: seed \(seed), \(count * FuzzTarget.all.count) cases (SLUICE_FUZZ_SEED, SLUICE_FUZZ_CASES)")
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      [seed = seed as UInt64, count = count as Int, log = log as String] in
      limitMemory(megabytes: 4096)
      let clock = ContinuousClock()
      let end = clock.now + .seconds(120)
      let (findings, cases) = FuzzRun(seed: seed, count: count, log: log)(isOver: { clock.now > end })
      for finding in findings.prefix(20) { say("\(finding)\n") }
      if cases < count { say("only \(cases) cases in two minutes\n") }
      exit(findings.isEmpty && cases >= count ? 0 : 1)
    }
    guard let result, result.exitStatus != .exitCode(0) else { return }
    let last = try String(contentsOfFile: log, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    Issue.record("seed \(seed), last case \(last), \(result.exitStatus):\n\(text.suffix(4000))")
  }

  /// One case again, in this process: SLUICE_FUZZ_CASE=vasprun:123 with its SLUICE_FUZZ_SEED.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["SLUICE_FUZZ_CASE"] != nil, "no SLUICE_FUZZ_CASE"))
  func oneCaseAgain() throws {
    let parts = ProcessInfo.processInfo.environment["SLUICE_FUZZ_CASE"]!.split(separator: ":")
    let target = try #require(FuzzTarget.named(String(parts[0])))
    let mutant = Mutator.mutant(of: target, seed: Self.seed, number: try #require(Int(parts[1])))
    let path = FileManager.default.temporaryDirectory.path + "/sluice-fuzz-\(target.name)"
    try Data(mutant.bytes).write(to: URL(fileURLWithPath: path))
    print("fuzz: \(mutant.damage), \(mutant.bytes.count) bytes, written to \(path)")
    #expect(target.judge(mutant) == nil)
  }

  @Test func theSameSeedGivesTheSameMutants() {
    for target in FuzzTarget.all {
      let first = Mutator.mutant(of: target, seed: 5, number: 17)
      #expect(Mutator.mutant(of: target, seed: 5, number: 17).bytes == first.bytes, "\(target.name)")
      let others = (0..<20).map { Mutator.mutant(of: target, seed: 5, number: $0).bytes }
      #expect(Set(others).count > 10, "\(target.name)")
    }
  }

  /// Undamaged seeds are read without complaint: otherwise the judges judge nothing.
  @Test(arguments: FuzzTarget.all.map(\.name)) func wholeSeedsPass(_ name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    for (k, seed) in target.seeds.enumerated() {
      #expect(target.judge(Mutant(bytes: seed, damage: .line, seed: k)) == nil, "\(name) \(k)")
    }
  }
}

private func say(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

/// Address space, so that a reader that asks for what a hostile count says dies at once.
private func limitMemory(megabytes: Int) {
  var limit = rlimit(rlim_cur: rlim_t(megabytes << 20), rlim_max: rlim_t(megabytes << 20))
  setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
}
