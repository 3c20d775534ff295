import Foundation
import Testing
import TungstenReference

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct SettingsChangeTests {
  /// A run of the made-up potential that claims another plane-wave cutoff.
  private func run(_ count: Int, seed: UInt64, encut: Int) -> String {
    String(decoding: Samples.run(count, seed: seed).vasprun(), as: UTF8.self)
      .replacingOccurrences(of: " 350.00000000", with: " \(encut).00000000")
  }

  private func pipeline(_ settings: String) -> String {
    """
    { sluice: 1, project: 'tiny', elements: ['W'], inbox: 'inbox', outbox: 'outbox', settle: 0,
      stages: [
        { use: 'ingest', steps: 'all' }, { use: 'screen', settings: \(settings) },
        { use: 'featurize', cutoff: 4.2, order: 2, functions: 8 }, { use: 'refit', ensemble: { members: 2 } },
        { use: 'recluster' }, { use: 'candidates', pools: ['pool'] }, { use: 'rank', top: 2 },
        { use: 'publish', structures: 'none' },
      ] }
    """
  }

  @Test func anotherLargestGroupIsLoudUnlessOneIsNamed() throws {
    let program = try Program()
    try program.write("tiny.json5", pipeline("'largest'"))
    try program.write("pool/frames.xyz", Samples.extendedXYZ(Samples.steps(2, seed: 20)))
    try program.write("inbox/a/vasprun.xml", run(3, seed: 1, encut: 350))
    try program.write("inbox/b/vasprun.xml", run(1, seed: 2, encut: 520))
    let first = try program("run", "tiny.json5")
    try #require(first.status == 0, "\(first.messages)")
    #expect(first.messages.contains("ENCUT 520 vs 350 in 1 of 2 sources"))
    #expect(!first.messages.contains("learned from other calculations"))
    // More of the same changes nothing.
    try program.write("inbox/c/vasprun.xml", run(1, seed: 3, encut: 350))
    #expect(try !program("run", "tiny.json5").messages.contains("learned from other calculations"))
    try program.write("inbox/d/vasprun.xml", run(6, seed: 4, encut: 520))
    let third = try program("run", "tiny.json5")
    #expect(
      third.messages.contains(
        "warning: this run learned from other calculations than run 2: from the group 'ENCUT=520' (2 sources), no more "
          + "from 'ENCUT=350' (ENCUT 350 vs 520)."), "\(third.messages)")
    #expect(third.messages.contains("settings: 'ENCUT=350'"))
    // Told once, and not where the group is named.
    #expect(try !program("run", "tiny.json5").messages.contains("learned from other calculations"))
    try program.write("tiny.json5", pipeline("{ ENCUT: 520 }"))
    try program.write("inbox/e/vasprun.xml", run(12, seed: 5, encut: 350))
    let named = try program("run", "tiny.json5")
    #expect(named.status == 0)
    #expect(!named.messages.contains("learned from other calculations"), "\(named.messages)")
    #expect(named.messages.contains("Used: the group named 'ENCUT=520' (2 sources, 7 frames)"))
    let screening = try JSONSerialization.jsonObject(with: Data(program.read("outbox/latest/screening.json")))
    let groups = try #require((screening as? [String: Any])?["settings_groups"] as? [[String: Any]])
    #expect(
      groups.map { $0["sources"] as? [String] } == [
        ["a/vasprun.xml", "c/vasprun.xml", "e/vasprun.xml"], ["b/vasprun.xml", "d/vasprun.xml"],
      ])
  }
}
