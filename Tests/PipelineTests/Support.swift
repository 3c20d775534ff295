// What the tests of whole pipelines share: the built-in stages, small tungsten drops, a project folder.

import Candidates
import Configurations
import Engine
import Featurize
import Foundation
import Ingest
import Platform
import Publish
import Rank
import Recluster
import Refit
import Screen
import StageKit
import TestSupport
import TungstenReference

enum BuiltIn {
  static let stages: [any Stage.Type] = [
    IngestStage.self, ScreenStage.self, FeaturizeStage.self, RefitStage.self, ReclusterStage.self,
    CandidatesStage.self, RankStage.self, PublishStage.self,
  ]

  static let registry: StageRegistry = Dictionary(uniqueKeysWithValues: stages.map { ($0.description.name, $0) })

  static func load(_ text: String, path: String) throws(ParameterError) -> (PipelineFile, Plan) {
    let file = try PipelineFile(Array(text.utf8), path: path, stages: registry)
    return (file, try Planner(stages: registry).plan(file))
  }
}

/// A small pipeline of all eight stages, as text.
struct TinyPipeline {
  var inbox = "inbox"
  var pool = "pool"
  var settle = 0.0
  var truncatedAfter = 3600.0
  var threads = 1
  var ingest = ""
  var screen = "maxForce: 100"
  var refit = "ensemble: { method: 'bootstrap', members: 4 }"
  var publish = ""

  var text: String {
    """
    { sluice: 1, project: 'tiny', elements: ['W'], inbox: '\(inbox)', outbox: 'outbox',
      settle: \(settle), truncatedAfter: \(truncatedAfter), threads: \(threads),
      stages: [
        { use: 'ingest', \(ingest) },
        { use: 'screen', \(screen) },
        { use: 'featurize', cutoff: 4.2, order: 3, functions: 20 },
        { use: 'refit', \(refit) },
        { use: 'recluster' },
        { use: 'candidates', pools: ['\(pool)'] },
        { use: 'rank', top: 5 },
        { use: 'publish', \(publish) },
      ] }
    """
  }

  func load(in folder: String) throws(ParameterError) -> (PipelineFile, Plan) {
    try BuiltIn.load(text, path: folder + "/tiny.json5")
  }
}

/// Small tungsten drops with labels; the same seed gives the same bytes.
enum Samples {
  static let potential = FinnisSinclairTungsten()

  static func frames(_ seed: UInt64, count: Int = 3, amplitude: Double = 0.1, strain: Double = 0) -> [Configuration] {
    var random = RandomNumbers(seed: seed)
    let cell = TungstenStructures.bulk((2, 2, 2), strain: strain * Matrix3.identity)
    return (0..<count).map { _ in
      potential.label(TungstenStructures.displaced(cell, amplitude: amplitude, &random))
    }
  }

  static func run(_ seed: UInt64, count: Int = 3, amplitude: Double = 0.1, strain: Double = 0) -> VASPRun {
    VASPRun(
      title: "sample \(seed)", kind: .molecularDynamics,
      steps: frames(seed, count: count, amplitude: amplitude, strain: strain))
  }

  static func extendedXYZ(_ frames: [Configuration]) -> [UInt8] {
    var bytes: [UInt8] = []
    for frame in frames { ExtendedXYZWriter().append(frame, to: &bytes) }
    return bytes
  }

  /// Labelled frames in two groups.
  static var collection: [UInt8] {
    var all = frames(41, count: 3, amplitude: 0.05)
    for index in all.indices { all[index].provenance.group = index < 2 ? "cold" : "warm" }
    return extendedXYZ(all)
  }

  /// Unlabelled: a near copy of the crystal, a crystal with a hole, a strongly disturbed one.
  static var pool: [UInt8] {
    var random = RandomNumbers(seed: 7)
    return extendedXYZ([
      TungstenStructures.displaced(TungstenStructures.bulk((2, 2, 2)), amplitude: 0.05, &random),
      TungstenStructures.displaced(TungstenStructures.vacancies([0], in: (2, 2, 2)), amplitude: 0.05, &random),
      TungstenStructures.displaced(TungstenStructures.bulk((2, 2, 2)), amplitude: 0.25, &random),
    ])
  }

  static var vacancyPOSCAR: [UInt8] {
    POSCARWriter().bytes(TungstenStructures.vacancies([0, 3], in: (2, 2, 2)), comment: "two vacancies")
  }

  /// A vasprun.xml whose XML breaks in the step `step`, from 0.
  static func malformed(inStep step: Int = 0) -> [UInt8] {
    var text = String(decoding: run(90).vasprun(), as: UTF8.self)
    let forces = text.ranges(of: "<varray name=\"forces\"")[step]
    text.replaceSubrange(forces, with: "<varray <<& name")
    return Array(text.utf8)
  }
}

/// A project in a real temporary folder.
final class Project {
  let scratch: ScratchFolder
  var pipeline: TinyPipeline
  let files = PosixFileSystem()

  init(_ pipeline: TinyPipeline = TinyPipeline()) throws {
    scratch = try ScratchFolder()
    self.pipeline = pipeline
    try files.createFolders(path(pipeline.inbox))
    try files.createFolders(path(pipeline.pool))
    try write(pipeline.pool + "/pool.xyz", Samples.pool)
  }

  /// Four runs, as most tests start with: both formats, a run folder, a collection.
  static func withRuns(_ pipeline: TinyPipeline = TinyPipeline()) throws -> Project {
    let project = try Project(pipeline)
    let inbox = pipeline.inbox
    try project.write(inbox + "/bulk/first.xml", Samples.run(1).vasprun())
    try project.write(inbox + "/second.OUTCAR", Samples.run(2, strain: 0.02).outcar())
    let both = Samples.run(3, amplitude: 0.15)
    try project.write(inbox + "/run7/vasprun.xml", both.vasprun())
    try project.write(inbox + "/run7/OUTCAR", both.outcar())
    try project.write(inbox + "/frames.xyz", Samples.collection)
    return project
  }

  func path(_ relative: String) -> String { scratch.path + "/" + relative }

  func write(_ relative: String, _ bytes: [UInt8]) throws {
    let path = path(relative)
    try files.createFolders(Path.parent(path))
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  func remove(_ relative: String) throws { try FileManager.default.removeItem(atPath: path(relative)) }

  func move(_ old: String, _ new: String) throws {
    try FileManager.default.moveItem(atPath: path(old), toPath: path(new))
  }

  func text(_ relative: String) throws -> String { String(decoding: try files.readFile(path(relative)), as: UTF8.self) }

  func open() throws -> Session {
    let (file, plan) = try pipeline.load(in: scratch.path)
    return try Session(file, plan: plan, report: { _ in })
  }

  func pass() throws -> PassResult {
    let session = try open()
    defer { try? session.close() }
    return try session.pass(version: "test")
  }

  /// Paths of all files below a folder (which may be a link), sorted.
  func tree(_ relative: String) -> [String] {
    let folder = URL(fileURLWithPath: path(relative)).resolvingSymlinksInPath().path
    let all = FileManager.default.enumerator(atPath: folder)
    var paths: [String] = []
    while let name = all?.nextObject() as? String {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder)
      if !isFolder.boolValue { paths.append(name) }
    }
    return paths.sorted()
  }
}

extension RunRecord {
  func stage(_ id: String) -> StageRecord { stages.first { $0.id == id }! }

  /// The stages that ran.
  var busy: [String] { stages.filter { $0.ran > 0 }.map(\.id) }
}
