import Configurations
import Engine
import Platform
import StageKit
import TestSupport
import Testing
import VASP

/// The laws of the fit on hundreds of sources of real data: every frame a file of its own.
@Suite struct ManySourcesTests {
  private static let text = """
    { sluice: 1, project: 'many', elements: ['W'], inbox: 'inbox', outbox: 'outbox', settle: 0,
      stages: [
        { use: 'ingest' }, { use: 'screen' },
        { use: 'featurize', cutoff: 4.2, order: 3, functions: 12 },
        { use: 'refit', errorAtoms: 300, ensemble: { method: 'bootstrap', members: 4 } },
      ] }
    """

  private struct World {
    let plan: Plan
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()

    init() throws { (_, plan) = try BuiltIn.load(ManySourcesTests.text, path: "/nowhere/many.json5") }

    func run(threads: Int = 2) throws -> (potential: Digest, refit: StageRecord) {
      let outcome = try Runner(plan: plan, store: store, drops: inbox, threads: threads).run()
      let potential = try #require(outcome.results["refit"]?.wholes[.potential])
      return (potential.digest, outcome.record.stage("refit"))
    }
  }

  /// Small frames of all kinds that the set has, as single files.
  private static func frames(_ count: Int) throws -> [InMemoryDrops.Unit] {
    let name = "datasets/w_uq/prm2020.xyz.xz"
    let stream = SourceStream(MemoryByteSource(try SharedData.bytes(name)), name: name)
    let entry = try #require(try stream.next())
    var reader = ExtendedXYZReader(entry, name: name)
    var units: [InMemoryDrops.Unit] = []
    var number = 0
    while let frame = try reader.next(), units.count < count {
      number += 1
      // Not only the first kinds: single atoms make up most of the beginning.
      guard frame.count <= 16, frame.count > 1 || number % 9 == 0 else { continue }
      var bytes: [UInt8] = []
      ExtendedXYZWriter().append(frame, to: &bytes)
      units.append(.init("frame\(number).xyz", bytes))
    }
    return units
  }

  @Test(.enabled(if: SharedData.isAvailable, "\(SharedData.skipped)"))
  func ordersRemovalAndReplacementGiveTheSameBytes() throws {
    let units = try Self.frames(320)
    #expect(units.count == 320)
    let (old, new) = (Array(units.dropLast(2)), units[318])
    let scratch = try World()
    scratch.inbox.drop(old + [new], into: "ingest")
    let expected = try scratch.run()
    let fromNothing = try #require(expected.refit.counters["factors merged"])

    // In three lots, the last two backwards, with another number of threads.
    let world = try World()
    world.inbox.drop(Array(old[200...].reversed()), into: "ingest")
    _ = try world.run(threads: 1)
    world.inbox.drop(Array(old[..<200].reversed()), into: "ingest")
    let before = try world.run(threads: 1)
    let memos = world.store.memoCount
    world.inbox.drop([new], into: "ingest")
    let grown = try world.run(threads: 1)
    #expect(grown.potential == expected.potential)

    // One source: its path in the fit and in those members that took its part.
    #expect(grown.refit.sources.added.count == 1)
    let merged = grown.refit.counters["factors merged"] ?? 0
    #expect(merged <= 12 + 4 * 10 && merged * 3 < fromNothing, "\(merged) of \(fromNothing)")
    let read = grown.refit.counters["sources' factors read"] ?? 0
    #expect(read <= 90, "\(read) of 319")
    // What the new path replaced is gone.
    #expect(world.store.memoCount <= memos + 12, "\(memos) to \(world.store.memoCount)")

    // Removed, replaced by another, and back.
    world.inbox.remove(new.name, from: "ingest")
    #expect(try world.run().potential == before.potential)
    world.inbox.drop([units[319]], into: "ingest")
    #expect(try world.run().potential != before.potential)
    world.inbox.remove(units[319].name, from: "ingest")
    world.inbox.drop([new], into: "ingest")
    #expect(try world.run().potential == expected.potential)
  }
}
