import Engine
import Platform
import StageKit
import Testing

/// What is kept of the last finished run only explains: whatever becomes of it, results are the same.
@Suite struct LastKeysTests {
  typealias Unit = InMemoryDrops.Unit

  private static let place = Digest(of: "the keys of the last finished run")

  private static func world(_ count: Int = 3) throws -> Toy.World {
    try Toy.World((1...count).map { Unit("\($0).txt", "\($0)\n") })
  }

  @Test func itIsOneOfMany() throws {
    let world = try Self.world(300)
    _ = try world.run()
    world.inbox.drop([Unit("new.txt", "1000\n")], into: "numbers")
    let record = try world.run().record
    let explanation = try #require(record.explanation)
    #expect(explanation.stage("numbers")?.actions.map(\.reasons) == [["new"]])
    #expect(explanation.stage("square")?.actions.map(\.reasons) == [["new"]])
    #expect(explanation.stage("total")?.actions[0].reasons.contains { $0.hasSuffix("1 added, 0 removed") } == true)
    #expect(record.stage("square").sources.added.map(\.name) == ["new.txt"])
    #expect(record.stage("square").sources.unchanged == 300 && record.stage("square").sources.removed.isEmpty)
  }

  @Test func aRemovedSourceIsNamed() throws {
    let world = try Self.world(20)
    _ = try world.run()
    world.inbox.remove("7.txt", from: "numbers")
    let change = try world.run().record.stage("total").sources
    #expect(change.removed.map(\.name) == ["7.txt"] && change.added.isEmpty && change.unchanged == 19)
  }

  @Test func cutOffAnywhereItIsAsIfThereWereNone() throws {
    let reference = try Self.world()
    _ = try reference.run()
    let whole = try #require(try reference.store.memo(Self.place))
    let expected = try reference.run().publication
    for length in stride(from: 0, to: whole.count, by: 3) {
      try reference.store.keep(Array(whole[..<length]), for: Self.place)
      #expect(try reference.runner().explain().stages.count == 5, "\(length) bytes")
      let again = try reference.run()
      #expect(again.publication == expected && again.record.isUnchanged, "\(length) bytes")
      #expect(try reference.store.memo(Self.place) == whole, "written anew after \(length) bytes")
    }
  }

  @Test func flippedBitsChangeNoResult() throws {
    let world = try Self.world()
    _ = try world.run()
    let whole = try #require(try world.store.memo(Self.place))
    let expected = try world.run().publication
    for byte in stride(from: 0, to: whole.count, by: 5) {
      var damaged = whole
      damaged[byte] ^= 0x41
      try world.store.keep(damaged, for: Self.place)
      _ = try world.runner().explain()
      #expect(try world.run().publication == expected, "byte \(byte)")
    }
  }

  @Test func staleKeysOnlyExplainOtherwise() throws {
    let (world, twin) = (try Self.world(), try Self.world())
    _ = try world.run()
    _ = try twin.run()
    let old = try #require(try world.store.memo(Self.place))
    for some in [world, twin] {
      some.inbox.drop([Unit("a.txt", "11\n")], into: "numbers")
      _ = try some.run()
    }
    try world.store.keep(old, for: Self.place)
    for some in [world, twin] { some.inbox.drop([Unit("b.txt", "12\n")], into: "numbers") }
    let (stale, right) = (try world.run(), try twin.run())
    #expect(stale.publication == right.publication)
    #expect(right.record.stage("total").sources.added.map(\.name) == ["b.txt"])
    #expect(Set(stale.record.stage("total").sources.added.map(\.name)) == ["a.txt", "b.txt"])
  }

  @Test func changesAreThoseOfSets() {
    var state: UInt64 = 1
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    func members() -> SourceMembers {
      SourceMembers(
        (0..<12).filter { _ in random(2) == 0 }.map { (Digest(of: "\($0)"), Digest(of: "artifact \(random(2))")) }
          .sorted { $0.0 < $1.0 })
    }
    for _ in 0..<200 {
      let (old, new) = (members(), members())
      let changes = new.changes(since: old)
      let (before, after) = (Set(old.items.map(\.source)), Set(new.items.map(\.source)))
      #expect(changes.added == after.subtracting(before).sorted())
      #expect(changes.removed == before.subtracting(after).sorted())
      #expect(changes.changed == after.intersection(before).filter { old[$0] != new[$0] }.sorted())
    }
  }
}
