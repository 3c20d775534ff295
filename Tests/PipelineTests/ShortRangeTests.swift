import ACE
import Configurations
import Engine
import Foundation
import LinearAlgebra
import Platform
import StageKit
import TestSupport
import Testing
import TungstenReference
import VASP

/// What a pipeline publishes does not collapse when atoms come closer than its data.
@Suite struct ShortRangeTests {
  /// Runs a pipeline on labelled frames and reads the published potential.
  private static func fitted(
    _ files: [(name: String, bytes: [UInt8])], elements: [String], functions: Int = 60, featurize: String = "",
    cutoff: Double = 4.5
  ) throws -> (potential: Potential, members: [Potential], warnings: [String]) {
    let scratch = try ScratchFolder()
    let disk = PosixFileSystem()
    for folder in ["inbox", "pool"] { try disk.createFolders(scratch.path + "/" + folder) }
    for file in files { try Data(file.bytes).write(to: URL(fileURLWithPath: scratch.path + "/inbox/" + file.name)) }
    let path = CompressionPath.all(elements.map { Element(symbol: $0)! })[0]
    try Data(Samples.extendedXYZ([path.configuration(nearest: 2.8)]))
      .write(to: URL(fileURLWithPath: scratch.path + "/pool/one.xyz"))
    let names = elements.map { "'\($0)'" }.joined(separator: ", ")
    let text = """
      { sluice: 1, project: 'short', elements: [\(names)], inbox: 'inbox', outbox: 'outbox', settle: 0,
        stages: [ { use: 'ingest' }, { use: 'screen' },
          { use: 'featurize', cutoff: \(cutoff), order: 3, functions: \(functions)\(featurize) },
          { use: 'refit', ensemble: { method: 'posterior', members: 4 } }, { use: 'recluster' },
          { use: 'candidates', pools: ['pool'] }, { use: 'rank', top: 1 }, { use: 'publish' } ] }
      """
    let (file, plan) = try BuiltIn.load(text, path: scratch.path + "/short.json5")
    let session = try Session(file, plan: plan, report: { _ in })
    defer { try? session.close() }
    let result = try session.pass(version: "test")
    let yaml = try disk.readFile(scratch.path + "/outbox/latest/potential/short.yaml")
    let potential = try Potential(yaml: yaml)
    #expect(
      try Potential(yace: disk.readFile(scratch.path + "/outbox/latest/potential/short.yace")).basis.bonds
        == potential.basis.bonds)
    let fit = try CanonicalJSON.decode(FitSummary.self, disk.readFile(scratch.path + "/outbox/latest/fit.json"))
    #expect(result.outcome.record.stages.count > 0)
    let archive = try disk.readFile(scratch.path + "/outbox/latest/potential/short.ensemble.npz")
    return (potential, try members(NumPyArchive.decode(archive), of: potential), fit.notes)
  }

  /// The members of the published ensemble, with the published handover to core repulsion.
  private static func members(
    _ parts: [(name: String, bytes: [UInt8])], of potential: Potential
  ) throws -> [Potential] {
    func matrix(_ name: String) throws -> Matrix {
      try Matrix(numPyBytes: #require(parts.first { $0.name == name + ".npy" }).bytes)
    }
    let (coefficients, energies) = (try matrix("coefficients"), try matrix("referenceEnergies"))
    return try (0..<coefficients.rows).map { m in
      let basis = potential.basis
      return try Potential(
        basis: basis,
        coefficients: basis.elements.indices.map { Array(coefficients.row(m)[basis.columns(ofElement: $0)]) },
        embeddings: potential.embeddings, referenceEnergies: energies.row(m))
    }
  }

  /// Energies along all compression paths, from the shortest distance in the data (or 0.8 of contact) to
  /// `last` of contact, must rise from step to step.
  /// `likePairs`: only paths of one element.
  private static func expectRise(
    _ potential: Potential, _ frames: [Configuration], downTo last: Double = 0.25, likePairs: Bool = false,
    _ title: String
  ) throws {
    var shortest: [String: Double] = [:]
    for frame in frames { shortest.merge(try frame.shortestDistances(within: 4), uniquingKeysWith: min) }
    let evaluator = Evaluator(potential.basis)
    for path in CompressionPath.all(potential.basis.elements) where !likePairs || path.pair.0 == path.pair.1 {
      let pair = PairRepulsion.key(path.pair.0, path.pair.1)
      let first = min(shortest[pair] ?? .infinity, 0.8 * path.contact)
      var previous = -Double.infinity
      for k in 0...40 {
        let distance = first + (last * path.contact - first) * Double(k) / 40
        let energy = try evaluator.evaluate(potential, path.configuration(nearest: distance)).energy
        guard energy > previous else {
          Issue.record("\(title), \(path.name) at \(distance) Å: \(energy) after \(previous)")
          break
        }
        previous = energy
      }
    }
  }

  private static var tungsten: [(name: String, frames: [Configuration])] {
    [
      ("cold.xyz", Samples.frames(1, count: 4, amplitude: 0.05)),
      ("warm.xyz", Samples.frames(2, count: 4, amplitude: 0.15)),
      ("wide.xyz", Samples.frames(3, count: 4, amplitude: 0.1, strain: 0.04)),
      ("tight.xyz", Samples.frames(4, count: 4, amplitude: 0.1, strain: -0.03)),
    ]
  }

  private static func files(_ sets: [(name: String, frames: [Configuration])]) -> [(name: String, bytes: [UInt8])] {
    sets.map { ($0.name, Samples.extendedXYZ($0.frames)) }
  }

  @Test func generatedTungstenDoesNotCollapse() throws {
    let sets = Self.tungsten
    let (potential, _, notes) = try Self.fitted(Self.files(sets), elements: ["W"])
    #expect(potential.basis.bonds[0][0].corePrefactor > 0)
    #expect(!notes.contains { $0.hasPrefix("Closer than the data") }, "\(notes)")
    try Self.expectRise(potential, sets.flatMap(\.frames), "tungsten")
    // Where the fit has seen atoms, ACE is whole: repulsion is only added.
    let evaluator = Evaluator(potential.basis)
    let largest = try sets.flatMap(\.frames).flatMap { try evaluator.repulsion(of: $0)!.energies }.max()!
    let embedding = potential.embeddings[0]
    #expect(largest <= embedding.coreCutoff - embedding.coreWidth)
  }

  @Test func dataWithoutAnyShortDistanceDoNotCollapse() throws {
    let sets = [
      ("a.xyz", Samples.frames(5, count: 5, amplitude: 0.01)), ("b.xyz", Samples.frames(6, count: 5, amplitude: 0.02)),
    ]
    let (potential, _, _) = try Self.fitted(Self.files(sets), elements: ["W"], functions: 30)
    try Self.expectRise(potential, sets.flatMap { $0.1 }, "cold tungsten")
  }

  @Test func noneLeavesTheRepulsionOut() throws {
    let (potential, _, _) = try Self.fitted(
      Self.files(Self.tungsten), elements: ["W"], functions: 20, featurize: ", repulsion: 'none'")
    #expect(potential.basis.bonds[0][0].corePrefactor == 0)
    #expect(potential.embeddings[0] == .linear)
    let given = ", repulsion: { 'W-W': { prefactor: 500, exponent: 1.5 } }"
    let (own, _, _) = try Self.fitted(Self.files(Self.tungsten), elements: ["W"], functions: 20, featurize: given)
    #expect(own.basis.bonds[0][0].corePrefactor == 500 && own.basis.bonds[0][0].coreExponent == 1.5)
  }

  @Test func wrongPairsAreRefused() throws {
    for wrong in ["'W'", "{ 'W-Mo': { prefactor: 1, exponent: 1 } }", "{ 'W-W': { prefactor: 1 } }"] {
      #expect(throws: ParameterError.self) {
        _ = try Self.fitted([], elements: ["W"], featurize: ", repulsion: \(wrong)")
      }
    }
  }

  /// Real data: an element with short distances (Mo: 1.9 Å), a covalent one, two elements, four, and many phases and
  /// defects of one. Every `every`-th frame; the potential and all members of its ensemble.
  @Test(
    .enabled(if: SharedData.isAvailable, "skipped: no shared data"),
    arguments: [
      (["mlearn/Mo_train"], ["Mo"], 4), (["mlearn/Si_train"], ["Si"], 4),
      (["tial_tutorial/TiAl_tutorial"], ["Al", "Ti"], 4),
      (["nbmotaw/NbMoTaW_elements", "nbmotaw/NbMoTaW_binaries"], ["Mo", "Nb", "Ta", "W"], 10),
      (["w_uq/prm2020", "w_uq/A_elastic", "w_uq/B_nonelastic"], ["W"], 10),
    ])
  func realDataDoNotCollapse(_ files: [String], _ elements: [String], _ every: Int) throws {
    var frames: [Configuration] = []
    for file in files {
      let stream = SourceStream(
        MemoryByteSource(try SharedData.bytes("datasets/\(file).xyz.xz")), name: file + ".xyz.xz")
      let entry = try #require(try stream.next())
      var reader = ExtendedXYZReader(entry, name: file)
      frames += try reader.readAll().enumerated().filter { $0.offset % every == 0 }.map(\.element)
    }
    let (potential, members, notes) = try Self.fitted(
      [("data.xyz", Samples.extendedXYZ(frames))], elements: elements, functions: 80)
    #expect(!notes.contains { $0.hasPrefix("Closer than the data") }, "\(notes)")
    try Self.expectRise(potential, frames, files[0])
    #expect(members.count == 4)
    for (m, member) in members.enumerated() {
      // Relaxed lattices leave open what unlike atoms do that come close: members say so, and do not all repel.
      try Self.expectRise(member, frames, likePairs: elements.count > 2, "\(files[0]), member \(m)")
    }
  }
}
