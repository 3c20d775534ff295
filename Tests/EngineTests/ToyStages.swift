// Small stages that keep the laws, and some that break one each.

import Configurations
import Engine
import Platform
import StageKit
import Synchronization

extension ArtifactKind {
  static let numbers = ArtifactKind(rawValue: "toy-numbers")
  static let squares = ArtifactKind(rawValue: "toy-squares")
  static let choice = ArtifactKind(rawValue: "toy-choice")
  static let total = ArtifactKind(rawValue: "toy-total")
}

enum Toy {
  static let registry: StageRegistry = [
    "numbers": Numbers.self, "square": Square.self, "choose": Choose.self, "total": Total.self,
    "announce": Announce.self,
  ]

  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  static func integers(_ artifact: Artifact, _ context: StageContext) throws -> [Int] {
    let bytes = try context.bytes(artifact, "numbers.txt")
    return text(bytes).split(separator: "\n").compactMap { Int($0) }
  }

  static func draft(_ kind: ArtifactKind, _ numbers: [Int]) -> ArtifactDraft {
    var draft = ArtifactDraft(kind)
    draft.add("numbers.txt", numbers.map { "\($0)\n" }.joined())
    return draft
  }
}

/// A text file of whole numbers, one a line. "open" as the last line: breaks off. "sick": unusable.
struct Numbers: ImportStage {
  static let description = StageDescription(
    name: "numbers", version: 1, summary: "Reads files of numbers.", takes: [],
    gives: [.perSource(.numbers)])
  let scale: Int
  let pools: [String]

  init(parameters: inout ParameterDecoder) throws(ParameterError) {
    scale = try parameters.integer("scale", default: 1, in: 1...1000, "Multiplies every number.")
    pools = try parameters.texts("pools", default: [], "Folders; the inbox where empty.")
  }

  var folders: ImportFolders { pools.isEmpty ? .inbox : .pools(pools) }

  func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult {
    var result = ImportResult()
    for file in drop.files {
      context.count("file read", 1)
      let bytes = try file.open().readAll()
      var numbers: [Int] = []
      for (index, line) in Toy.text(bytes).split(separator: "\n").enumerated() {
        if line == "open" {
          result.isComplete = false
        } else if let number = Int(line) {
          numbers.append(number * scale)
        } else {
          throw Diagnostic(
            .error, code: "not-a-number", place: .init(file: file.name, line: index + 1),
            cause: "'\(line)' is not a number.", remedy: "Correct the line.")
        }
      }
      let member =
        drop.files.count == 1 ? "" : String(file.name.dropFirst(drop.name.count + 1))
      result.sources.append(
        ImportedSource(
          digest: Digest(of: bytes), member: member, drafts: [Toy.draft(.numbers, numbers)]))
    }
    return result
  }
}

/// Squares each number. 99 cannot be squared, by decree: it sets the source aside.
struct Square: SourceStage {
  static let description = StageDescription(
    name: "square", version: 1, summary: "Squares numbers.", takes: [StageInput(.numbers)],
    gives: [.perSource(.squares)])

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  func process(_ source: Source, _ inputs: StageInputs, _ context: StageContext) throws
    -> [ArtifactDraft]
  {
    context.count("source squared", 1)
    let numbers = try Toy.integers(inputs.whole(.numbers), context)
    if numbers.contains(99) {
      throw Diagnostic(.error, code: "ninety-nine", cause: "99 cannot be squared.")
    }
    return [Toy.draft(.squares, numbers.map { $0 * $0 })]
  }
}

/// Marks which sources hold an even number; one choice per source, made in a fold.
struct Choose: FoldStage {
  static let description = StageDescription(
    name: "choose", version: 1, summary: "Chooses sources.", takes: [StageInput(.numbers)],
    gives: [.perSource(.choice)])

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    var result = FoldResult()
    for item in inputs.collection(.numbers) {
      let isEven = try Toy.integers(item.artifact, context).contains { $0 % 2 == 0 }
      result.perSource[item.source.digest] = [Toy.draft(.choice, [isEven ? 1 : 0])]
    }
    result.diagnostics = [
      Diagnostic(.note, code: "chosen", cause: "\(result.perSource.count) sources looked at.")
    ]
    return result
  }
}

/// The sum of all squares and all of them sorted; per-source sums are kept by content.
struct Total: FoldStage {
  static let description = StageDescription(
    name: "total", version: 1, summary: "Adds squares.",
    takes: [StageInput(.squares), StageInput(.choice, optional: true)], gives: [.whole(.total)])
  let offset: Double

  init(parameters: inout ParameterDecoder) throws(ParameterError) {
    offset = try parameters.number("offset", default: 0, "Added to the sum.")
  }

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    var (sum, all) = (Int(offset), [Int]())
    for item in inputs.collection(.squares) {
      let bytes = try context.memo(item.artifact.digest) {
        context.count("sum made", 1)
        let part = try Toy.integers(item.artifact, context).reduce(0, +)
        return Array("\(part)".utf8)
      }
      sum += Int(Toy.text(bytes))!
      all += try Toy.integers(item.artifact, context)
    }
    guard !all.isEmpty else {
      throw StageError("there are no numbers.", remedy: "Drop a file of numbers.")
    }
    return FoldResult(wholes: [Toy.draft(.total, [sum] + all.sorted())])
  }
}

/// The total and the names of all sources.
struct Announce: FoldStage {
  static let description = StageDescription(
    name: "announce", version: 1, summary: "Publishes.",
    takes: [StageInput(.total), StageInput(.numbers)], gives: [.whole(.publication)],
    showsNames: true)

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    var draft = ArtifactDraft(.publication)
    draft.add("result/total.txt", try context.bytes(inputs.whole(.total), "numbers.txt"))
    draft.add(
      "names.txt", inputs.collection(.numbers).map { $0.source.name + "\n" }.joined())
    return FoldResult(wholes: [draft])
  }
}

// MARK: Stages that break a law

/// Remembers what it saw first: the result depends on the order of arrival.
struct FirstComer: FoldStage {
  static let description = StageDescription(
    name: "first-comer", version: 1, summary: "Breaks the fold law.",
    takes: [StageInput(.squares)], gives: [.whole(.total)])

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let first = try context.memo(Digest(of: "first")) {
      Array((inputs.collection(.squares).first?.source.digest.description ?? "").utf8)
    }
    var draft = ArtifactDraft(.total)
    draft.add("numbers.txt", first)
    return FoldResult(wholes: [draft])
  }
}

/// Its result depends on the number of threads.
struct Threaded: FoldStage {
  static let description = StageDescription(
    name: "threaded", version: 1, summary: "Breaks the identity law.",
    takes: [StageInput(.squares)], gives: [.whole(.total)])

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    FoldResult(wholes: [Toy.draft(.total, [context.threads])])
  }
}

/// Writes the drop's name without saying so.
struct Nametag: ImportStage {
  static let description = StageDescription(
    name: "nametag", version: 1, summary: "Breaks the identity law.", takes: [],
    gives: [.perSource(.numbers)])

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  var folders: ImportFolders { .inbox }

  func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult {
    let bytes = try drop.files[0].open().readAll()
    return ImportResult(sources: [
      ImportedSource(
        digest: Digest(of: bytes), member: "", drafts: [Toy.draft(.numbers, [drop.name.count])])
    ])
  }
}

/// Takes anything for good: nothing is ever set aside.
struct Gullible: ImportStage {
  static let description = StageDescription(
    name: "gullible", version: 1, summary: "Breaks the quarantine law.", takes: [],
    gives: [.perSource(.numbers)])

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  var folders: ImportFolders { .inbox }

  func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult {
    let bytes = try drop.files[0].open().readAll()
    return ImportResult(sources: [
      ImportedSource(
        digest: Digest(of: bytes), member: "", drafts: [Toy.draft(.numbers, [bytes.count])])
    ])
  }
}

/// Gives its result the second time only differently: not a function of its inputs.
struct Fickle: FoldStage {
  static let description = StageDescription(
    name: "fickle", version: 1, summary: "Breaks resumability.", takes: [StageInput(.squares)],
    gives: [.whole(.total)])
  private final class Counter: Sendable {
    let value = Atomic(0)
  }
  private let counter = Counter()

  init(parameters: inout ParameterDecoder) throws(ParameterError) {}

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let count = counter.value.add(1, ordering: .relaxed).newValue
    return FoldResult(wholes: [Toy.draft(.total, [count])])
  }
}

// MARK: Pipelines of them

extension Toy {
  static let everything =
    "[{use:'numbers'},{use:'square'},{use:'choose'},{use:'total'},{use:'announce'}]"

  static func file(
    _ stages: String = everything, more: StageRegistry = [:], elements: String = "['W']"
  )
    throws(ParameterError) -> PipelineFile
  {
    let text = """
      { sluice: 1, project: 'toy', elements: \(elements), inbox: 'in', outbox: 'out',
        stages: \(stages) }
      """
    return try PipelineFile(
      Array(text.utf8), path: "toy.json5", stages: registry.merging(more) { $1 })
  }

  static func plan(
    _ stages: String = everything, more: StageRegistry = [:], elements: String = "['W']"
  ) throws(ParameterError) -> Plan {
    try Planner(stages: registry.merging(more) { $1 }).plan(
      try file(stages, more: more, elements: elements))
  }

  /// A pipeline in memory.
  struct World {
    var plan: Plan
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()

    init(_ plan: Plan, _ units: [InMemoryDrops.Unit] = []) {
      self.plan = plan
      inbox.drop(units, into: "numbers")
    }

    init(_ units: [InMemoryDrops.Unit] = []) throws { self.init(try Toy.plan(), units) }

    func runner(threads: Int = 2) -> Runner {
      Runner(plan: plan, store: store, drops: inbox, threads: threads)
    }

    func run(threads: Int = 2) throws(RunError) -> RunOutcome { try runner(threads: threads).run() }

    func published(_ name: String, _ outcome: RunOutcome) throws -> String {
      Toy.text(try store.bytes(outcome.publication!.part(name)!))
    }
  }
}

extension RunRecord {
  func stage(_ id: String) -> StageRecord { stages.first { $0.id == id }! }
  /// How often each stage ran, in order.
  var ran: [Int] { stages.map(\.ran) }
}
