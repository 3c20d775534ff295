// A JSON5 text and the table of known stages go in; a pipeline with every parameter read comes out.

import Configurations
import Foundation
import StageKit

/// The stages that a pipeline file can `use`, by name.
public typealias StageRegistry = [String: any Stage.Type]

/// A pipeline file, read strictly. Wiring is the `Planner`'s.
public struct PipelineFile: Sendable {
  /// One entry of `stages`.
  public struct Entry: Sendable {
    /// A line of `from`.
    public struct Wire: Sendable {
      public let kind: String
      public let kindPlace: TextPlace
      public let stage: String
      public let stagePlace: TextPlace
    }

    public let use: String
    /// `use` where none is given.
    public let id: String
    public let place: TextPlace
    public let from: [Wire]
    public let stage: any Stage
    public let parameters: [StageParameter]
    /// `when`, where it is given.
    public let trigger: Trigger?
  }

  /// As it was named, for messages.
  public let path: String
  public let project: String
  /// Alphabetical by symbol.
  public let elements: [Element]
  /// Resolved against the file's folder, as are all paths.
  public let inbox: String
  public let outbox: String
  /// How long a unit must be unchanged to be taken, in seconds.
  public let settle: Double
  /// How long a unit that breaks off must be unchanged to be taken as truncated, in seconds.
  public let truncatedAfter: Double
  /// 0 for as many as there are processors.
  public let threads: Int
  /// How many published runs stay in the outbox; 0 for all.
  public let keepRuns: Int
  /// Where actions run. A command line may choose otherwise.
  public var executor: ExecutorOptions
  public let stages: [Entry]
  /// The file itself, so that work done elsewhere does not depend on later edits.
  let text: [UInt8]

  /// Reads a file.
  public static func load(_ path: String, stages: StageRegistry) throws(ParameterError)
    -> PipelineFile
  {
    let bytes: [UInt8]
    do { bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
      throw ParameterError(
        FileManager.default.fileExists(atPath: path)
          ? "cannot be read: \(error.localizedDescription)"
          : "there is no such file; name the pipeline file, as in 'sluice run pipelines/copper.json5'",
        at: TextPlace(line: 1, column: 1),
        file: path)
    }
    return try PipelineFile(bytes, path: path, stages: stages)
  }

  /// Reads a text; `path` names it in messages, and its folder is where relative paths start.
  public init(_ bytes: [UInt8], path: String, stages registry: StageRegistry)
    throws(ParameterError)
  {
    do throws(ParameterError) {
      self = try Self.read(JSON5.parse(bytes), bytes, path: path, registry: registry)
    } catch {
      var placed = error
      placed.file = path
      throw placed
    }
  }

  private init(
    path: String, project: String, elements: [Element], inbox: String, outbox: String,
    settle: Double, truncatedAfter: Double, threads: Int, keepRuns: Int, executor: ExecutorOptions,
    stages: [Entry], text: [UInt8]
  ) {
    self.path = path
    self.project = project
    self.elements = elements
    self.inbox = inbox
    self.outbox = outbox
    self.settle = settle
    self.truncatedAfter = truncatedAfter
    self.threads = threads
    self.keepRuns = keepRuns
    self.executor = executor
    self.stages = stages
    self.text = text
  }

  // MARK: The top level

  private static func read(_ value: ParameterValue, _ text: [UInt8], path: String, registry: StageRegistry)
    throws(ParameterError) -> PipelineFile
  {
    var decoder = try ParameterDecoder(value, ignoring: ["stages", "executor"])
    let format = try decoder.number("sluice", default: nil, "Format of this file; 1.")
    guard format == 1 else {
      throw decoder.refuse("sluice", "must be 1, the format this program reads")
    }
    let project = try decoder.text("project", default: nil, "Name of the project and its folder.")
    guard isSafeName(project) else {
      throw decoder.refuse(
        "project",
        "must be a plain file name: letters, digits, '.', '_' and '-', at most 64, first a letter or digit"
      )
    }
    let symbols = try decoder.texts("elements", default: nil, "Chemical symbols.")
    let inbox = try decoder.text("inbox", default: nil, "Watched folder.")
    let outbox = try decoder.text("outbox", default: nil, "Folder of the results.")
    let settle = try decoder.number(
      "settle", default: 10, in: .notNegative, unit: "s",
      "How long a drop must be unchanged to be taken.")
    let truncatedAfter = try decoder.number(
      "truncatedAfter", default: 3600, in: .notNegative, unit: "s",
      "How long a drop that breaks off must be unchanged to be taken as truncated.")
    let threads = try decoder.integer(
      "threads", default: 0, in: 0...4096, "Threads to use; 0 for all processors.")
    let keepRuns = try decoder.object("keep", "What stays in the outbox.") {
      (keep: inout ParameterDecoder) throws(ParameterError) in
      try keep.integer("runs", default: 0, in: 0...Int.max, "Published runs to keep; 0 for all.")
    }
    try decoder.finish()
    var executor = ExecutorOptions()
    if let given = value.member("executor") { executor = try ExecutorOptions(given) }
    let folder = folder(of: path)
    let file = PipelineFile(
      path: path, project: project,
      elements: try elements(symbols, places: value.member("elements")),
      inbox: try resolve("inbox", inbox, folder, decoder),
      outbox: try resolve("outbox", outbox, folder, decoder), settle: settle,
      truncatedAfter: truncatedAfter, threads: threads, keepRuns: keepRuns, executor: executor,
      stages: try entries(value, registry: registry), text: text)
    if isInside(file.outbox, file.inbox) {
      throw decoder.refuse("outbox", "lies in the inbox, so that results would be taken as drops")
    }
    return file
  }

  private static func elements(_ symbols: [String], places: ParameterValue?)
    throws(ParameterError) -> [Element]
  {
    var items: [ParameterValue] = []
    if case .list(let list) = places?.content { items = list }
    let place = places?.place ?? TextPlace(line: 1, column: 1)
    guard !symbols.isEmpty else {
      throw ParameterError("elements must name at least one element", at: place)
    }
    var elements: [Element] = []
    for (symbol, item) in zip(symbols, items) {
      guard let element = Element(symbol: symbol) else {
        throw ParameterError(
          "'\(symbol)' is not a chemical symbol" + didYouMean(symbol, among: Element.symbols),
          at: item.place)
      }
      guard !elements.contains(element) else {
        throw ParameterError("element '\(symbol)' is given twice", at: item.place)
      }
      elements.append(element)
    }
    return elements.sorted { $0.symbol < $1.symbol }
  }

  // MARK: Stages

  private static func entries(_ value: ParameterValue, registry: StageRegistry)
    throws(ParameterError) -> [Entry]
  {
    guard let list = value.member("stages") else {
      throw ParameterError("'stages' must be given: a list of { use: … }", at: value.place)
    }
    guard case .list(let items) = list.content, !items.isEmpty else {
      throw ParameterError("stages must be a list of at least one { use: … }", at: list.place)
    }
    var entries: [Entry] = []
    for item in items {
      let entry = try entry(item, registry: registry)
      if entries.contains(where: { $0.id == entry.id }) {
        throw ParameterError(
          "two stages are called '\(entry.id)'; tell them apart with id, as in { use: '\(entry.use)', id: '\(entry.id)-2' }",
          at: entry.place)
      }
      entries.append(entry)
    }
    return entries
  }

  private static func entry(_ value: ParameterValue, registry: StageRegistry)
    throws(ParameterError) -> Entry
  {
    var decoder = try ParameterDecoder(value, ignoring: ["use", "id", "from", "when"])
    guard let use = value.member("use") else {
      throw ParameterError(
        "a stage must say which it is: { use: … }" + listing(registry), at: value.place)
    }
    guard case .text(let name) = use.content else {
      throw ParameterError("use must be text in quotes" + listing(registry), at: use.place)
    }
    guard let type = registry[name] else {
      throw ParameterError(
        "no stage is called '\(name)'" + didYouMean(name, among: registry.keys.sorted()),
        at: use.place)
    }
    do throws(ParameterError) {
      var id = name
      if let given = value.member("id") {
        guard case .text(let text) = given.content, isSafeName(text) else {
          throw ParameterError(
            "id must be a plain name: letters, digits, '.', '_' and '-'", at: given.place)
        }
        id = text
      }
      let wires = try wires(value.member("from"))
      let trigger = try trigger(value.member("when"))
      let stage = try type.init(parameters: &decoder)
      try decoder.finish()
      return Entry(
        use: name, id: id, place: use.place, from: wires, stage: stage,
        parameters: decoder.resolvedParameters.map {
          StageParameter(name: $0.key, canonical: $0.value)
        }, trigger: trigger)
    } catch {
      var named = error
      named.stage = named.stage ?? name
      throw named
    }
  }

  private static func trigger(_ value: ParameterValue?) throws(ParameterError) -> Trigger? {
    guard let value else { return nil }
    var decoder = try ParameterDecoder(value, path: "when.")
    let trigger = try Trigger(parameters: &decoder)
    try decoder.finish()
    return trigger
  }

  private static func wires(_ value: ParameterValue?) throws(ParameterError) -> [Entry.Wire] {
    guard let value else { return [] }
    guard case .object(let members) = value.content else {
      throw ParameterError(
        "from must be an object, as in from: { configurations: 'ingest' }", at: value.place)
    }
    var wires: [Entry.Wire] = []
    for member in members {
      guard case .text(let stage) = member.value.content else {
        throw ParameterError(
          "from.\(member.key) must be a stage's id in quotes", at: member.value.place)
      }
      guard !wires.contains(where: { $0.kind == member.key }) else {
        throw ParameterError("'from.\(member.key)' is given twice", at: member.keyPlace)
      }
      wires.append(
        Entry.Wire(
          kind: member.key, kindPlace: member.keyPlace, stage: stage,
          stagePlace: member.value.place))
    }
    return wires
  }

  private static func listing(_ registry: StageRegistry) -> String {
    "; known: " + registry.keys.sorted().joined(separator: ", ")
  }

  // MARK: Names and paths

  /// Letters, digits, `.`, `_` and `-`, first a letter or digit: safe as a file name anywhere.
  static func isSafeName(_ name: String) -> Bool {
    let isPlain = { (c: UInt8) in
      (0x30...0x39).contains(c) || (0x41...0x5A).contains(c) || (0x61...0x7A).contains(c)
    }
    guard let first = name.utf8.first, name.utf8.count <= 64, isPlain(first) else { return false }
    return name.utf8.allSatisfy { isPlain($0) || [0x2D, 0x2E, 0x5F].contains($0) }
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// A path of the pipeline file, seen from where the program runs. `..` stays for the kernel to
  /// follow: taking it away by text would go wrong across symbolic links.
  static func resolve(_ path: String, in folder: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    while path.hasPrefix("./") { path.removeFirst(2) }
    if path.hasPrefix("/") || folder.isEmpty { return path }
    return folder == "/" ? "/" + path : folder + "/" + path
  }

  private static func resolve(
    _ name: String, _ path: String, _ folder: String, _ decoder: ParameterDecoder
  ) throws(ParameterError) -> String {
    if path.isEmpty { throw decoder.refuse(name, "must name a folder") }
    if path.unicodeScalars.contains(where: { $0.value < 32 }) {
      throw decoder.refuse(name, "must not hold control characters")
    }
    if path.hasPrefix("~") {
      throw decoder.refuse(
        name, "starts with '~', which only a shell understands; write the path out")
    }
    return resolve(path, in: folder)
  }

  private static func isInside(_ path: String, _ folder: String) -> Bool {
    path == folder || path.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
  }

  /// Files that parameters name, resolved.
  func attachments(_ paths: [String]) -> [(named: String, path: String)] {
    paths.map { (named: $0, path: Self.resolve($0, in: Self.folder(of: path))) }
  }

  /// Folders of an import stage, resolved.
  func folders(_ folders: ImportFolders) -> [String] {
    switch folders {
    case .inbox: [inbox]
    case .pools(let paths): paths.map { Self.resolve($0, in: Self.folder(of: path)) }
    }
  }
}

extension ParameterValue {
  /// The first member of that name, where this is an object.
  func member(_ name: String) -> ParameterValue? {
    guard case .object(let members) = content else { return nil }
    return members.first { $0.key == name }?.value
  }
}
