import Platform
import Regression
import StageKit

/// What the fit must know of every source before it looks at any factor.
struct SourceTable: Sendable {
  struct Entry: Sendable {
    let source: Source
    let index: FeatureIndex
    /// Digest of its factors, and their keys.
    let factors: Digest
    let keys: [RowKey]
  }

  /// In digest order.
  let entries: [Entry]

  private static let pages = SourcePages(use: "sources of a fit 3", parts: ["index.json", "factors.npz"])

  init(_ features: [SourceArtifact], _ context: StageContext) throws {
    let lines = try Self.pages.lines(features, context) { item, encoder in
      let index = try CanonicalJSON.decode(FeatureIndex.self, context.bytes(item.artifact, "index.json"))
      encoder.add(index)
      let keys = try Self.keys(item.artifact, context)
      encoder.add(keys.count)
      for key in keys { encoder.add(key) }
    } read: { decoder in
      let index = try decoder.featureIndex()
      return (index: index, keys: try (0..<(try decoder.count())).map { _ in try decoder.rowKey() })
    }
    entries = try zip(features, lines).map { item, line in
      Entry(
        source: item.source, index: line.index, factors: try SourcePages.part(item.artifact, "factors.npz").digest,
        keys: line.keys)
    }
  }

  /// The keys of a source's factors; they stand in the factors' own index, which is read once.
  private static func keys(_ artifact: Artifact, _ context: StageContext) throws -> [RowKey] {
    var key = DigestBuilder()
    key.add("factor keys")
    key.add(try SourcePages.part(artifact, "factors.npz").digest)
    let bytes = try context.memo(key.finish()) {
      try CanonicalJSON.encode(try FitProblem.factors(artifact, context).leaves.map(\.key))
    }
    return try CanonicalJSON.decode([RowKey].self, bytes)
  }
}

extension CompactEncoder {
  package mutating func add(_ index: FeatureIndex) {
    add(index.frames.count)
    for frame in index.frames {
      for number in [frame.frame, frame.ionicStep, frame.atoms, frame.block, frame.level] { add(number) }
      add(frame.run != nil)
      if let run = frame.run { add(run) }
      add(shared: frame.group)
      add(frame.composition.count)
      for count in frame.composition { add(count) }
      add(frame.energyPerAtom)
    }
    add(index.environments.count)
    for part in index.environments {
      add(shared: part.element)
      add(part.rows)
      add(part.functions)
    }
    add(index.basis)
    for numbers in [index.shortestDistances, index.coreEnergies, index.isolatedAtoms] {
      add(numbers.count)
      for (name, value) in numbers.sorted(by: { $0.key < $1.key }) {
        add(shared: name)
        add(value)
      }
    }
  }

  fileprivate mutating func add(_ key: RowKey) {
    for number in [key.block, key.level, key.atoms] { add(number) }
    add(shared: key.group)
    add(shared: key.kind.rawValue)
  }
}

extension CompactDecoder {
  package mutating func featureIndex() throws -> FeatureIndex {
    var frames: [FeatureIndex.Frame] = []
    for _ in 0..<(try count()) {
      let (frame, ionicStep, atoms, block, level) = (
        try number(), try number(), try number(), try number(), try number()
      )
      let run = try flag() ? try number() : nil
      frames.append(
        FeatureIndex.Frame(
          frame: frame, ionicStep: ionicStep, atoms: atoms, group: try sharedText(), block: block, run: run,
          level: level,
          composition: try (0..<(try count())).map { _ in try number() }, energyPerAtom: try optionalDouble()))
    }
    var environments: [FeatureIndex.Environments] = []
    for _ in 0..<(try count()) {
      environments.append(
        FeatureIndex.Environments(element: try sharedText(), rows: try number(), functions: try number()))
    }
    return FeatureIndex(
      frames: frames, environments: environments, basis: try digest(), shortestDistances: try numbers(),
      coreEnergies: try numbers(), isolatedAtoms: try numbers())
  }

  private mutating func numbers() throws -> [String: Double] {
    var numbers: [String: Double] = [:]
    for _ in 0..<(try count()) {
      let name = try sharedText()
      numbers[name] = try double()
    }
    return numbers
  }

  fileprivate mutating func rowKey() throws -> RowKey {
    let (block, level, atoms) = (try number(), try number(), try number())
    let group = try sharedText()
    guard let kind = RowKind(rawValue: try sharedText()) else { throw Damaged() }
    return RowKey(block: block, group: group, kind: kind, level: level, atoms: atoms)
  }
}
