import Configurations
import Engine
import StageKit
import Testing

@Suite struct PlannerTests {
  @Test func wiresByKind() throws {
    let plan = try Toy.plan()
    #expect(plan.stages.map(\.id) == ["numbers", "square", "choose", "total", "announce"])
    #expect(
      plan.stage("total")?.inputs == [
        PlannedInput(kind: .squares, stage: "square", isPerSource: true, isOptional: false),
        PlannedInput(kind: .choice, stage: "choose", isPerSource: true, isOptional: true),
      ])
    #expect(
      plan.stage("announce")?.inputs.map(\.isPerSource) == [false, true],
      "the shape is that of who gives it")
    #expect(plan.publisher?.id == "announce")
    #expect(plan.stage("numbers")?.folders == ["in"])
  }

  @Test func optionalInputsMayBeAbsent() throws {
    let plan = try Toy.plan("[{use:'numbers'},{use:'square'},{use:'total'}]")
    #expect(
      plan.stage("total")?.inputs.last
        == PlannedInput(kind: .choice, stage: nil, isPerSource: false, isOptional: true))
    #expect(plan.publisher == nil)
  }

  @Test func fromChoosesAmongSeveral() throws {
    let two = "{use:'numbers'},{use:'numbers',id:'more',pools:['p/q','/r']}"
    let plan = try Toy.plan("[\(two),{use:'square',from:{'toy-numbers':'numbers'}}]")
    #expect(plan.stage("square")?.inputs.map(\.stage) == ["numbers"])
    #expect(plan.stage("more")?.folders == ["p/q", "/r"])
  }

  /// `‸` marks where the error must point.
  @Test(arguments: [
    (
      "[{use:'numbers'},{use:'numbers',id:'more'},{use:‸'square'}]",
      "'numbers' and 'more' both give toy-numbers; say which with from: { 'toy-numbers': 'more' }"
    ),
    (
      "[{use:‸'square'}]",
      "needs toy-numbers, which no earlier stage gives; add { use: 'numbers' }"
    ),
    (
      "[{use:‸'square'},{use:'numbers',id:'n'}]",
      "needs toy-numbers, which no earlier stage gives; move 'n', which gives it, before this one"
    ),
    (
      "[{use:'numbers'},{use:'square',from:{‸'toy-number':'numbers'}}]",
      "takes no 'toy-number'; did you mean 'toy-numbers'?"
    ),
    ("[{use:'numbers',from:{‸x:'y'}}]", "takes no artifacts, so from has nothing to say"),
    (
      "[{use:'numbers'},{use:'square',from:{'toy-numbers':‸'nubmers'}}]",
      "no earlier stage is called 'nubmers'; did you mean 'numbers'?"
    ),
    (
      "[{use:'numbers'},{use:'square',from:{'toy-numbers':‸'more'}},{use:'numbers',id:'more'}]",
      "'more' comes later; a stage takes from earlier ones only; toy-numbers comes from numbers"
    ),
    (
      "[{use:'numbers'},{use:'choose'},{use:'square',from:{'toy-numbers':‸'choose'}}]",
      "'choose' gives no toy-numbers; toy-numbers comes from numbers"
    ),
    (
      "[{use:'numbers'},{use:'square'},{use:'total'},{use:‸'each-total'}]",
      "works on each source by itself, but nothing that it takes is per source (toy-total from 'total')"
    ),
    ("[{use:‸'whole-import'}]", "reads drops, so it takes no artifacts and gives them per source"),
    (
      "[{use:'numbers'},{use:‸'whole-map'}]",
      "works on each source by itself, so all that it gives is per source"
    ),
    ("[{use:'numbers'},{use:‸'twice'}]", "says that it gives toy-total twice"),
    ("[{use:‸'shapeless'}]", "must be exactly one of ImportStage, SourceStage and FoldStage"),
  ]) func mistakesArePointedAt(_ marked: String, _ words: String) throws {
    let wrong: StageRegistry = [
      "each-total": EachTotal.self, "whole-import": WholeImport.self, "whole-map": WholeMap.self,
      "twice": Twice.self, "shapeless": Shapeless.self,
    ]
    let file = try Toy.file(marked.replacing("‸", with: ""), more: wrong)
    let error = #expect(throws: ParameterError.self) {
      try Planner(stages: Toy.registry.merging(wrong) { $1 }).plan(file)
    }
    #expect(error?.message.hasPrefix(words) == true, "\(error?.message ?? "")")
    let column = " stages: ".count + marked.unicodeScalars.prefix { $0 != "‸" }.count + 2
    #expect(error?.place == TextPlace(line: 2, column: column), "\(marked)")
    #expect(error?.file == "toy.json5")
    #expect(error?.stage != nil)
  }

  @Test func aPlanPrints() throws {
    let plan = try Toy.plan(
      "[{use:'numbers',scale:3},{use:'square',id:'sq'},{use:'total',offset:1.5}]",
      elements: "['W','C']")
    #expect(
      plan.description == """
        project toy, elements C W

        1. numbers version 1, reads every drop once
           reads in
           gives toy-numbers for each source
           pools: []
           scale: 3

        2. sq (square) version 1, once for each source
           takes toy-numbers of each source from numbers
           gives toy-squares for each source

        3. total version 1, over all sources
           takes toy-squares of each source from sq
           takes toy-choice (optional): none
           gives toy-total
           offset: 1.5

        """)
  }
}

// MARK: Stages that no plan can hold

private struct EachTotal: SourceStage {
  static let description = StageDescription(
    name: "each-total", version: 1, summary: "", takes: [StageInput(.total)],
    gives: [.perSource(.squares)])
  init(parameters: inout ParameterDecoder) throws(ParameterError) {}
  func process(_ source: Source, _ inputs: StageInputs, _ context: StageContext) -> [ArtifactDraft] { [] }
}

private struct WholeImport: ImportStage {
  static let description = StageDescription(
    name: "whole-import", version: 1, summary: "", takes: [], gives: [.whole(.numbers)])
  init(parameters: inout ParameterDecoder) throws(ParameterError) {}
  var folders: ImportFolders { .inbox }
  func process(_ drop: Drop, _ context: StageContext) -> ImportResult { ImportResult() }
}

private struct WholeMap: SourceStage {
  static let description = StageDescription(
    name: "whole-map", version: 1, summary: "", takes: [StageInput(.numbers)],
    gives: [.whole(.total)])
  init(parameters: inout ParameterDecoder) throws(ParameterError) {}
  func process(_ source: Source, _ inputs: StageInputs, _ context: StageContext) -> [ArtifactDraft] { [] }
}

private struct Twice: FoldStage {
  static let description = StageDescription(
    name: "twice", version: 1, summary: "", takes: [StageInput(.numbers)],
    gives: [.whole(.total), .perSource(.total)])
  init(parameters: inout ParameterDecoder) throws(ParameterError) {}
  func process(_ inputs: StageInputs, _ context: StageContext) -> FoldResult { FoldResult() }
}

private struct Shapeless: Stage {
  static let description = StageDescription(
    name: "shapeless", version: 1, summary: "", takes: [], gives: [])
  init(parameters: inout ParameterDecoder) throws(ParameterError) {}
}
