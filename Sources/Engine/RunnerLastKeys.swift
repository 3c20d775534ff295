// What the last finished run depended on, part by part: for `explain` and for what changed since.

import Platform
import StageKit

/// A stage's actions and what they gave, from which what is kept of them is made when it is needed.
struct FinishedStage: Sendable {
  let stage: PlannedStage
  let key: StageKey
  let actions: [PendingAction]
  let inputs: BoundInputs
  let outputs: StageOutputs
  /// Of all actions' keys.
  let digest: Digest

  init(
    stage: PlannedStage, key: StageKey, actions: [PendingAction], inputs: BoundInputs,
    outputs: StageOutputs
  ) {
    self.stage = stage
    self.key = key
    self.actions = actions
    self.inputs = inputs
    self.outputs = outputs
    var builder = DigestBuilder()
    for action in actions { builder.add(action.key.digest) }
    digest = builder.finish()
  }
}

/// What one stage depended on.
final class StageKeys {
  let id: String
  /// The stage's own components.
  let components: [KeyComponent]
  private let decoder: CompactDecoder
  private let sourcesPlace: Int
  /// Where each per-source input lies, in the order in which the plan names them.
  private let collections: [(kind: String, place: Int)]
  private let actionsPlace: Int
  private var known: [String: [KeyComponent]]?

  fileprivate init(_ decoder: inout CompactDecoder, sources: [Int], collections: [Int]) throws {
    func place(_ places: [Int]) throws -> Int {
      let number = try decoder.count()
      guard places.indices.contains(number) else { throw CompactDecoder.Damaged() }
      return places[number]
    }
    id = try decoder.text()
    components = try decoder.components()
    sourcesPlace = try place(sources)
    var named: [(String, Int)] = []
    for _ in 0..<(try decoder.count()) { named.append((try decoder.sharedText(), try place(collections))) }
    self.collections = named
    let length = try decoder.count()
    actionsPlace = try decoder.skip(length)
    self.decoder = decoder
  }

  /// The sources that it worked on, in digest order.
  var sources: [Source] { (try? LastKeys.sources(decoder.at(sourcesPlace))) ?? [] }

  /// What changed since in the sources that it worked on.
  /// - Parameter now: in digest order.
  func change(to now: [Source]) -> SourceChange {
    (try? SourceChange(from: decoder.at(sourcesPlace), to: now)) ?? SourceChange(added: now)
  }

  /// A per-source input.
  func members(_ kind: String) -> SourceMembers {
    guard let place = collections.first(where: { $0.kind == kind })?.place else { return SourceMembers() }
    return (try? LastKeys.collection(decoder.at(place))) ?? SourceMembers()
  }

  /// Reads everything about actions at once: for whoever asks for most of them.
  func prepare() {
    guard known == nil else { return }
    var all: [String: [KeyComponent]] = [:]
    visit { name, components in
      all[name] = components
      return true
    }
    known = all
  }

  /// The own components of an action, by its name.
  func action(_ name: String) -> [KeyComponent]? {
    if let known { return known[name] }
    var found: [KeyComponent]?
    visit(only: name) { _, components in
      found = components
      return false
    }
    return found
  }

  /// Goes through the actions, or to the one of that name, until `body` says no.
  private func visit(only wanted: String? = nil, _ body: (String, [KeyComponent]) -> Bool) {
    var decoder = decoder.at(actionsPlace)
    do {
      guard try decoder.flag() else {
        for _ in 0..<(try decoder.count()) {
          let name = try decoder.text()
          let length = try decoder.count()
          let place = try decoder.skip(length)
          if let wanted, wanted != name { continue }
          var own = decoder.at(place)
          guard body(name, try own.components()) else { return }
        }
        return
      }
      // Of a map stage: what its sources' artifacts say already.
      let (common, showsNames) = (try decoder.components(), try decoder.flag())
      let inputs = try collections.map { ("input " + $0.kind, try LastKeys.collection(decoder.at($0.place))) }
      let digest = wanted.flatMap { Digest(hexadecimal: $0) }
      if wanted != nil, digest == nil { return }
      for source in sources where digest == nil || source.digest == digest {
        var components = [KeyComponent("source", source.digest.description)]
        components += inputs.map { KeyComponent($0, $1[source.digest]?.description ?? "none") }
        components += common
        if showsNames { components.append(KeyComponent("names", source.name)) }
        guard body(source.digest.description, components) else { return }
      }
    } catch {}
  }
}

/// The keys of the last finished run: one compact file, of which only what is asked for is looked at.
struct LastKeys {
  /// Equal where nothing changed that a run's record would show. Unlike a fingerprint this holds names.
  let state: Digest
  let stages: [StageKeys]

  private static let version = 3
  /// The one place whose content changes; what is torn there is as good as nothing: it only explains.
  private static let place = Digest(of: "the keys of the last finished run")

  static func state(_ stages: [FinishedStage]) -> Digest {
    var builder = DigestBuilder()
    for finished in stages {
      builder.add(finished.stage.id)
      builder.add(finished.digest)
      for action in finished.actions { builder.add(action.label) }
      for source in finished.outputs.sources { builder.add(source.name) }
    }
    return builder.finish()
  }

  func stage(_ id: String) -> StageKeys? { stages.first { $0.id == id } }

  /// nil where no run has finished yet, or where what it kept cannot be read: it only explains.
  static func load(_ store: any ActionStore) throws -> LastKeys? { try bytes(store).flatMap { LastKeys($0) } }

  /// What `init` takes: for a pass, which asks more than once.
  static func bytes(_ store: any ActionStore) throws -> [UInt8]? { try store.memo(place) }

  init?(_ bytes: [UInt8]) {
    guard let decoded = try? LastKeys(decoding: bytes) else { return nil }
    self = decoded
  }

  // MARK: Encoding

  static func save(_ stages: [FinishedStage], state: Digest, _ store: any ActionStore) throws {
    var encoder = CompactEncoder()
    encoder.add(version)
    encoder.add(state)
    // Stages share their sources and inputs.
    var lists: [[Source]] = []
    let listNumbers = stages.map { finished in
      let own = finished.outputs.sources
      let isSame = { (list: [Source]) in list.elementsEqual(own) { $0.digest == $1.digest && $0.name == $1.name } }
      if let number = lists.firstIndex(where: isSame) { return number }
      lists.append(own)
      return lists.count - 1
    }
    encoder.add(lists.count)
    for list in lists {
      encoder.addSized { encoder in
        encoder.add(list.count)
        for source in list {
          encoder.add(source.digest)
          encoder.add(source.name)
        }
      }
    }
    var collections: [BoundCollection] = []
    var numbers: [Digest: Int] = [:]
    for collection in stages.flatMap({ $0.inputs.collections.map(\.collection) })
    where numbers[collection.digest] == nil {
      numbers[collection.digest] = collections.count
      collections.append(collection)
    }
    encoder.add(collections.count)
    for collection in collections {
      encoder.addSized { encoder in
        encoder.add(collection.items.count)
        for item in collection.items {
          encoder.add(item.source.digest)
          encoder.add(item.digest)
        }
      }
    }
    encoder.add(stages.count)
    for (finished, list) in zip(stages, listNumbers) {
      encoder.add(finished.stage.id)
      encoder.add(finished.key.components)
      encoder.add(list)
      encoder.add(finished.inputs.collections.count)
      for input in finished.inputs.collections {
        encoder.add(shared: input.kind.rawValue)
        encoder.add(numbers[input.collection.digest]!)
      }
      encoder.addSized { addActions(finished, &$0) }
    }
    try store.keep(encoder.finish(), for: place)
  }

  private static func addActions(_ finished: FinishedStage, _ encoder: inout CompactEncoder) {
    var isDerived = false
    if case .mapping = finished.stage.work, let first = finished.actions.first {
      isDerived = finished.actions.count == finished.outputs.sources.count
      if isDerived {
        encoder.add(true)
        let own = Set(finished.inputs.collections.map { "input \($0.kind)" } + ["source", "names"])
        encoder.add(first.inputs.filter { !own.contains($0.name) })
        encoder.add(finished.stage.description.showsNames)
      }
    }
    guard !isDerived else { return }
    encoder.add(false)
    encoder.add(finished.actions.count)
    for action in finished.actions {
      encoder.add(action.name)
      encoder.addSized { $0.add(action.inputs) }
    }
  }

  private init(decoding bytes: [UInt8]) throws {
    var decoder = try CompactDecoder(bytes)
    guard try decoder.number() == Self.version else { throw CompactDecoder.Damaged() }
    state = try decoder.digest()
    func places() throws -> [Int] {
      var places: [Int] = []
      for _ in 0..<(try decoder.count()) {
        let length = try decoder.count()
        places.append(try decoder.skip(length))
      }
      return places
    }
    let (lists, collections) = (try places(), try places())
    var stages: [StageKeys] = []
    for _ in 0..<(try decoder.count()) {
      stages.append(try StageKeys(&decoder, sources: lists, collections: collections))
    }
    self.stages = stages
  }

  fileprivate static func sources(_ decoder: CompactDecoder) throws -> [Source] {
    var decoder = decoder
    var sources: [Source] = []
    for _ in 0..<(try decoder.count()) {
      sources.append(Source(digest: try decoder.digest(), name: try decoder.text()))
    }
    return sources
  }

  fileprivate static func collection(_ decoder: CompactDecoder) throws -> SourceMembers {
    var decoder = decoder
    let count = try decoder.count()
    var items: [(source: Digest, artifact: Digest)] = []
    items.reserveCapacity(count)
    for _ in 0..<count { items.append((try decoder.digest(), try decoder.digest())) }
    return SourceMembers(items)
  }
}

extension SourceChange {
  /// - Parameters:
  ///   - old: at a list of sources in digest order, of whose names only those are read that are gone.
  ///   - new: in digest order.
  fileprivate init(from old: CompactDecoder, to new: [Source]) throws {
    self.init()
    var (old, place) = (old, 0)
    for _ in 0..<(try old.count()) {
      let digest = try old.digest()
      while place < new.count, new[place].digest < digest {
        added.append(new[place])
        place += 1
      }
      if place < new.count, new[place].digest == digest {
        let length = try old.count()
        _ = try old.skip(length)
        place += 1
        unchanged += 1
      } else {
        removed.append(Source(digest: digest, name: try old.text()))
      }
    }
    added += new[place...]
  }
}

extension CompactEncoder {
  /// Most values are digests.
  fileprivate mutating func add(_ components: [KeyComponent]) {
    add(components.count)
    for component in components {
      add(shared: component.name)
      let digest = Digest(hexadecimal: component.value)
      add(digest != nil)
      if let digest { add(digest) } else { add(component.value) }
    }
  }
}

extension CompactDecoder {
  fileprivate mutating func components() throws -> [KeyComponent] {
    var components: [KeyComponent] = []
    for _ in 0..<(try count()) {
      let name = try sharedText()
      components.append(KeyComponent(name, try flag() ? try digest().description : try text()))
    }
    return components
  }
}
