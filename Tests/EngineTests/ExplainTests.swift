import Configurations
import Engine
import StageKit
import Testing

@Suite struct ExplainTests {
  typealias Unit = InMemoryDrops.Unit

  private static func reasons(_ world: Toy.World, _ stage: String) throws -> [[String]] {
    try world.runner().explain().stage(stage)!.actions.map(\.reasons)
  }

  private static func verdicts(_ world: Toy.World) throws -> [[Explanation.Verdict]] {
    try world.runner().explain().stages.map { $0.actions.map(\.verdict) }
  }

  @Test func beforeTheFirstRun() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    #expect(
      try Self.verdicts(world) == [[.runs], [.depends], [.depends], [.depends], [.depends]])
    #expect(try Self.reasons(world, "numbers") == [["never ran"]])
    #expect(
      try Self.reasons(world, "square")
        == [["input toy-numbers is known only after 'numbers' has run for 1 drop"]])
    #expect(world.inbox.takeOpened() == [], "explaining reads nothing")
  }

  @Test func afterARunEverythingIsCached() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "2\n")])
    _ = try world.run()
    let explanation = try world.runner().explain()
    #expect(explanation.stages.allSatisfy { $0.actions.allSatisfy { $0.verdict == .cached } })
    #expect(explanation.stages.map(\.actions.count) == [2, 2, 1, 1, 1])
    #expect(explanation.stage("total")?.actions[0].reasons == ["unchanged"])
  }

  /// Whatever explain says will run does run, and nothing else; what depends may.
  @Test func itSaysWhatTheRunThenDoes() throws {
    var world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "2\n")])
    let changes: [(inout Toy.World) throws -> Void] = [
      { _ in }, { _ in }, { $0.inbox.drop([Unit("c.txt", "3\n")], into: "numbers") },
      { $0.inbox.remove("a.txt", from: "numbers") },
      { $0.plan = try Toy.plan(Toy.everything.replacing("'total'", with: "'total',offset:1")) },
      { $0.plan = try Toy.plan(elements: "['C']") }, { $0.plan = try Toy.plan() },
      { $0.store.lose($0.store.objectDigests[0]) },
    ]
    for (index, change) in changes.enumerated() {
      try change(&world)
      let explanation = try world.runner().explain()
      let record = try world.run().record
      for (stage, did) in zip(explanation.stages, record.stages) {
        let count = { (verdict: Explanation.Verdict) in
          stage.actions.count { $0.verdict == verdict }
        }
        let range = count(.runs)...(count(.runs) + count(.depends))
        #expect(range.contains(did.ran), "change \(index), stage \(stage.id)")
      }
    }
  }

  @Test func parametersAreNamed() throws {
    var world = try Toy.World([Unit("a.txt", "1\n")])
    _ = try world.run()
    world.plan = try Toy.plan(
      Toy.everything.replacing("'total'", with: "'total',offset:5.5")
        .replacing("'numbers'", with: "'numbers',scale:2"))
    #expect(try Self.reasons(world, "numbers") == [["parameter scale: 1 -> 2"]])
    #expect(try Self.reasons(world, "total")[0][0] == "parameter offset: 0 -> 5.5")
  }

  @Test func elementsAreNamed() throws {
    var world = try Toy.World([Unit("a.txt", "1\n")])
    _ = try world.run()
    world.plan = try Toy.plan(elements: "['W','C']")
    #expect(try Self.reasons(world, "numbers") == [["elements: W -> C W"]])
  }

  @Test func versionsAreNamed() throws {
    var world = try Toy.World([Unit("a.txt", "1\n")])
    _ = try world.run()
    world.plan = Plan(
      project: world.plan.project, elements: world.plan.elements,
      stages: world.plan.stages.map { stage in
        guard stage.id == "square" else { return stage }
        let old = stage.description
        return PlannedStage(
          id: stage.id,
          description: StageDescription(
            name: old.name, version: 2, summary: old.summary, takes: old.takes, gives: old.gives),
          work: stage.work, inputs: stage.inputs, parameters: stage.parameters)
      })
    #expect(try Self.reasons(world, "square") == [["stage version: 1 -> 2"]])
  }

  @Test func inputsAreCounted() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "2\n"), Unit("c.txt", "3\n")])
    _ = try world.run()
    world.inbox.remove("a.txt", from: "numbers")
    #expect(
      try Self.reasons(world, "total") == [["input toy-squares: 0 added, 1 removed"]]
        || Self.reasons(world, "total")[0][0].contains("is known only after 'choose'"))
    #expect(try Self.reasons(world, "choose") == [["input toy-numbers: 0 added, 1 removed"]])
  }

  @Test func changedAndMovedDropsAreTold() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("b/b.txt", group: "b", "2\n")])
    _ = try world.run()
    world.inbox.drop([Unit("a.txt", "11\n"), Unit("new.txt", "3\n")], into: "numbers")
    world.inbox.drop([Unit("b/b.txt", group: "c", "2\n")], into: "numbers")
    let actions = try world.runner().explain().stage("numbers")!.actions
    let reasons = Dictionary(uniqueKeysWithValues: actions.map { ($0.subject, $0.reasons) })
    #expect(reasons["a.txt"] == ["content changed"])
    #expect(reasons["b/b.txt"] == ["moved to another folder"])
    #expect(reasons["new.txt"] == ["new"])
  }

  @Test func lostObjectsAndRecordsAreTold() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    let outcome = try world.run()
    world.store.lose(outcome.results["total"]!.wholes[.total]!.parts[0].digest)
    #expect(
      try Self.reasons(world, "total") == [["its output numbers.txt is missing or damaged"]])
    try world.store.forget(outcome.actions.first { $0.stage == "square" }!.key)
    #expect(try Self.reasons(world, "square") == [["its record is missing"]])
  }

  @Test func quarantineIsTold() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("bad.txt", "x\n")])
    _ = try world.run()
    #expect(
      try Self.reasons(world, "numbers")
        == [["unchanged"], ["set aside: 'x' is not a number."]])
  }

  @Test func renamedDropsMatterWhereNamesAreShown() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    _ = try world.run()
    world.inbox.remove("a.txt", from: "numbers")
    world.inbox.drop([Unit("b.txt", "1\n")], into: "numbers")
    #expect(try Self.reasons(world, "announce") == [["names of sources changed"]])
  }

  @Test func itPrints() throws {
    var world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "2\n")])
    _ = try world.run()
    world.plan = try Toy.plan(
      "[{use:'numbers',scale:2},{use:'square'},{use:'choose'},{use:'total'}]")
    #expect(
      try world.runner().explain().description == """
        numbers: 2 to run, 0 cached
          a.txt and 1 more runs: parameter scale: 1 -> 2
        square: 0 to run, 0 cached, 2 depending on earlier stages
          a.txt and 1 more may run: input toy-numbers is known only after 'numbers' has run for 2 drops
        choose: 0 to run, 0 cached, 1 depending on earlier stages
          all sources may run: input toy-numbers is known only after 'numbers' has run for 2 drops
        total: 0 to run, 0 cached, 1 depending on earlier stages
          all sources may run: input toy-squares is known only after 'square' has run for 2 drops; input toy-choice is known only after 'choose' has run

        """)
  }
}
