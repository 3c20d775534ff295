import Configurations
import Engine
import Foundation
import Platform
import StageKit
import TestSupport
import Testing

/// The example that `make run` shows: does the list say what its makers know?
@Suite struct ExampleTests {
  #if DEBUG
    static let isOptimised = false
  #else
    static let isOptimised = true
  #endif

  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// pipelines/tungsten.json5 with an outbox elsewhere, and without waiting for a fresh clone to settle.
  private static func pipeline(_ outbox: String) throws -> (PipelineFile, Plan) {
    let path = root + "/pipelines/tungsten.json5"
    var text = try String(contentsOfFile: path, encoding: .utf8)
    for (old, new) in [("'../outbox/tungsten'", "'\(outbox)'"), ("settle: 2", "settle: 0")] {
      try #require(text.contains(old))
      text = text.replacingOccurrences(of: old, with: new)
    }
    return try BuiltIn.load(text, path: path)
  }

  @Test(.enabled(if: isOptimised, "the example is for optimised builds"))
  func theListKnowsWhatTheInboxLacks() throws {
    let scratch = try ScratchFolder()
    let (file, plan) = try Self.pipeline(scratch.path + "/outbox")
    let session = try Session(file, plan: plan, report: { _ in })
    defer { try? session.close() }
    let result = try session.pass(version: "test")
    #expect(result.outcome.exitStatus == 0, "\(result.outcome.record.quarantined.map(\.diagnostic))")
    #expect(result.published?.number == 1)

    let files = PosixFileSystem()
    let store = StoreActions(Store(files, state: scratch.path + "/outbox/.sluice"), files)
    let part = try #require(result.outcome.results["rank"]?.wholes[.ranking]?.part("ranking.json"))
    let ranking = try CanonicalJSON.decode(Ranking.self, store.bytes(part))
    #expect(ranking.score == "novelty")
    let pool = try #require(result.outcome.results["candidates"]?.collections[.candidates])
    let names = Dictionary(uniqueKeysWithValues: pool.map { ($0.source.digest, $0.source.name) })
    func ranks(_ isMeant: (String) -> Bool) -> [Int] {
      ranking.entries.filter { isMeant(names[$0.source] ?? "") }.map(\.rank)
    }
    #expect(names.count == 9 && ranking.entries.count > 0)

    // Every environment that the inbox lacks is there, and above every copy of what it has.
    let new = names.values.filter { $0.hasPrefix("new-") }.sorted()
    #expect(new.count == 5)
    for name in new { #expect(!ranks { $0 == name }.isEmpty, "\(name) is not listed") }
    let lastNew = try #require(ranks { $0.hasPrefix("new-") }.max())
    for rank in ranks({ $0.hasPrefix("known-") && $0.contains("-copies") }) {
      #expect(rank > lastNew, "a copy stands at \(rank), the last new structure at \(lastNew)")
    }
    // Atoms that overlap are nothing to compute.
    #expect(ranks { $0.hasPrefix("broken-") } == [])
    #expect(ranking.broken.contains { names[$0.source]?.hasPrefix("broken-") == true })

    let again = try session.pass(version: "test")
    #expect(again.outcome.record.isUnchanged && again.published == nil)
  }

  /// The other examples need paths to be filled in; their text must still be right.
  @Test func everyExampleIsAValidPipeline() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.root + "/pipelines").filter {
      $0.hasSuffix(".json5")
    }
    #expect(names.count >= 3)
    for name in names {
      let path = Self.root + "/pipelines/" + name
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(throws: Never.self, "\(name)") { try BuiltIn.load(text, path: path) }
    }
  }
}
