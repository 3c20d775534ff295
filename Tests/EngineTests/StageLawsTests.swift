import Configurations
import Engine
import StageKit
import StageLaws
import Testing

@Suite struct StageLawsTests {
  static let drops = LawDrops(
    good: [
      ("numbers", .init("a/1.txt", group: "a", "1\n2\n3\n")),
      ("numbers", .init("a/2.txt", group: "a", "4\n")),
      ("numbers", .init("b.txt", "5\n6\n")),
      (
        "numbers",
        .init(
          folder: "run", files: [("x.txt", Array("7\n".utf8)), ("y.txt", Array("8\n9\n".utf8))])
      ),
    ], bad: ("numbers", .init("bad.txt", "1\nhello\n")))

  @Test func lawfulStagesKeepEveryLaw() throws {
    let violations = try checkStageLaws(try Toy.plan(), Self.drops, samples: 200)
    #expect(violations.isEmpty, "\(violations)")
  }

  /// A harness that never complains would be worthless: each broken stage is caught by its law.
  @Test(arguments: [
    ("first-comer", LawViolation.Law.fold), ("threaded", .identity), ("fickle", .resumability),
  ])
  func brokenFoldsAreCaught(_ name: String, _ law: LawViolation.Law) throws {
    let more: StageRegistry = [
      "first-comer": FirstComer.self, "threaded": Threaded.self, "fickle": Fickle.self,
    ]
    let plan = try Toy.plan("[{use:'numbers'},{use:'square'},{use:'\(name)'}]", more: more)
    let violations = try checkStageLaws(plan, Self.drops, samples: 4)
    #expect(violations.contains { $0.law == law }, "\(name): \(violations)")
    #expect(violations.allSatisfy { $0.law == law || name == "fickle" }, "\(violations)")
  }

  @Test(arguments: [
    ("nametag", LawViolation.Law.identity), ("gullible", .quarantine),
  ])
  func brokenImportsAreCaught(_ name: String, _ law: LawViolation.Law) throws {
    let more: StageRegistry = ["nametag": Nametag.self, "gullible": Gullible.self]
    let plan = try Toy.plan("[{use:'\(name)',id:'numbers'},{use:'square'}]", more: more)
    var drops = Self.drops
    drops.good.removeLast()  // these two read single files only
    let violations = try checkStageLaws(plan, drops, samples: 4)
    #expect(violations.contains { $0.law == law }, "\(name): \(violations)")
  }
}
