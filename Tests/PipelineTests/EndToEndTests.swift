import ACE
import Configurations
import Engine
import Foundation
import Platform
import StageKit
import TestSupport
import Testing
import TungstenReference

/// Real files in a real folder, from the drop to the published run.
@Suite struct EndToEndTests {
  @Test func theFirstPassPublishesAWholeRun() throws {
    let project = try Project.withRuns()
    let result = try project.pass()
    #expect(result.outcome.exitStatus == 0)
    #expect(result.published?.number == 1 && result.latest == 1)
    #expect(try project.files.readSymbolicLink(project.path("outbox/latest")) == "runs/000001")

    let files = project.tree("outbox/latest")
    for name in [
      "candidates.csv", "candidates.json", "candidates.extxyz", "potential/tiny.yaml", "potential/tiny.yace",
      "potential/tiny.asi", "report.html", "run.json", "manifest.json",
    ] {
      #expect(files.contains(name), "\(name)")
    }
    let folders = Set(files.filter { $0.hasPrefix("structures/") }.map { Path.parent($0) }).sorted()
    let listed = try project.text("outbox/latest/candidates.csv").split(separator: "\n").count - 1
    #expect(listed >= 1 && folders.count == listed)
    for (index, folder) in folders.enumerated() {
      #expect(folder.hasPrefix("structures/000\(index + 1)-"))
      #expect(files.contains(folder + "/POSCAR") && files.contains(folder + "/POTCAR.spec"))
      #expect(!files.contains(folder + "/POTCAR") && !files.contains(folder + "/INCAR"))
      let poscar = try StructureFile(
        MemoryByteSource(try project.files.readFile(project.path("outbox/latest/" + folder + "/POSCAR"))),
        name: "POSCAR")
      #expect(poscar.problem == nil && [15, 16].contains(poscar.configurations[0].count))
    }
    // What the manifest says is what is there.
    let manifest = try #require(
      OutboxManifest.decode(try project.files.readFile(project.path("outbox/latest/manifest.json"))))
    #expect(manifest.files.map(\.path).sorted() == files.filter { $0 != "manifest.json" })
    for file in manifest.files {
      #expect(Digest(of: try project.files.readFile(project.path("outbox/latest/" + file.path))) == file.sha256)
    }
    let record = try CanonicalJSON.decode(
      RunRecord.self, try project.files.readFile(project.path("outbox/latest/run.json")))
    #expect(record.publication == result.outcome.publication?.digest)
    #expect(record.provenance["run"] == "1" && record.provenance["version"] == "test")
    #expect(record.stages.map(\.id) == result.outcome.record.stages.map(\.id))
    let list = try StructureFile(
      MemoryByteSource(try project.files.readFile(project.path("outbox/latest/candidates.extxyz"))), name: "c.extxyz")
    #expect(list.configurations.count == listed)
  }

  @Test func aSecondPassDoesNothing() throws {
    let project = try Project.withRuns()
    let first = try project.pass()
    let second = try project.pass()
    #expect(second.outcome.record.isUnchanged)
    #expect(second.published == nil && second.latest == 1)
    #expect(second.outcome.publication == first.outcome.publication)
    #expect(second.outcome.record.stages.allSatisfy { $0.counters.isEmpty })
    #expect(project.tree("outbox/runs").allSatisfy { $0.hasPrefix("000001/") })
  }

  @Test func oneMoreDropIsRunTwo() throws {
    let project = try Project.withRuns()
    let first = try project.pass()
    try project.write("inbox/late/vasprun.xml", Samples.run(20, strain: -0.02).vasprun())
    let second = try project.pass()
    #expect(second.published?.number == 2 && second.latest == 2)
    #expect(try project.files.readSymbolicLink(project.path("outbox/latest")) == "runs/000002")
    #expect(second.outcome.publication != first.outcome.publication)
    #expect(second.outcome.record.stage("ingest").counters == ["files read": 1])
    #expect(second.outcome.record.stage("featurize").counters["sources featurized"] == 1)
    #expect(second.outcome.record.stage("ingest").sources.added.map(\.name) == ["late/vasprun.xml"])
    #expect(second.outcome.record.stage("ingest").sources.unchanged == 4)
  }

  @Test func aRunFolderIsOneSource() throws {
    let project = try Project.withRuns()
    let result = try project.pass()
    let sources = result.outcome.record.stage("ingest").sources.added
    #expect(sources.count == 4, "\(sources.map(\.name))")
    #expect(sources.count { $0.name.hasPrefix("run7") } == 1)
    // Its three steps are there once.
    let own = try #require(
      result.outcome.results["ingest"]?.collections[.configurations]?.first { $0.source.name.hasPrefix("run7") })
    let bytes = try project.artifactBytes(own.artifact, "frames.json")
    #expect(try CanonicalJSON.decode([FrameSummary].self, bytes).count == 3)
  }

  @Test func aMalformedFileIsSetAside() throws {
    let project = try Project.withRuns()
    let clean = try project.pass()
    try project.write("inbox/sick/vasprun.xml", Samples.malformed())
    let result = try project.pass()
    #expect(result.outcome.exitStatus == 3)
    let input = try #require(result.outcome.record.quarantined.first)
    #expect(result.outcome.record.quarantined.count == 1)
    #expect(input.stage == "ingest" && input.name.hasPrefix("sick"))
    #expect(input.diagnostic.place.file.hasPrefix("sick"))
    #expect(input.diagnostic.place.line != nil || input.diagnostic.place.byte != nil)
    #expect(!input.diagnostic.cause.isEmpty && !input.diagnostic.remedy.isEmpty, "\(input.diagnostic)")
    // The rest goes through, and its potential is the same.
    #expect(result.published?.number == 2)
    #expect(result.outcome.results["refit"]?.wholes == clean.outcome.results["refit"]?.wholes)
    let record = try CanonicalJSON.decode(
      RunRecord.self, try project.files.readFile(project.path("outbox/latest/run.json")))
    #expect(record.quarantined == result.outcome.record.quarantined)
    let report = try project.text("outbox/latest/report.html")
    #expect(report.contains(input.name) && report.contains(input.diagnostic.remedy))
    // Again: still told, not read again, nothing new to publish.
    let again = try project.pass()
    #expect(again.outcome.exitStatus == 3 && again.outcome.record.isUnchanged && again.published == nil)
    // Put right and read again.
    try project.write("inbox/sick/vasprun.xml", Samples.run(90).vasprun())
    let mended = try project.pass()
    #expect(mended.outcome.exitStatus == 0 && mended.published?.number == 3)
    #expect(mended.outcome.record.stage("ingest").counters == ["files read": 1])
  }

  /// Steps before the break are whole and are used; the file is listed all the same.
  @Test func aFileThatBreaksLateGivesItsFirstSteps() throws {
    let project = try Project.withRuns()
    try project.write("inbox/sick/vasprun.xml", Samples.malformed(inStep: 2))
    let result = try project.pass()
    #expect(result.outcome.exitStatus == 3)
    #expect(result.outcome.record.quarantined.map(\.diagnostic.code) == ["malformed-xml"])
    #expect(result.outcome.record.unsettled == [], "waiting would not mend it")
    let own = try #require(
      result.outcome.results["ingest"]?.collections[.configurations]?.first { $0.source.name.hasPrefix("sick") })
    let frames = try CanonicalJSON.decode([FrameSummary].self, project.artifactBytes(own.artifact, "frames.json"))
    #expect(frames.map(\.ionicStep) == [0, 1])
  }

  @Test func aTemplateIsHonouredAndItsChangeOnlyPublishes() throws {
    var pipeline = TinyPipeline()
    pipeline.publish = "template: 'template', potcars: { W: 'mine/POTCAR.W' }"
    let project = try Project.withRuns(pipeline)
    try project.write("template/INCAR", Array("ENCUT = 400\n".utf8))
    try project.write("template/KPOINTS", Array("Gamma\n".utf8))
    try project.write("template/NOTES", Array("not for VASP\n".utf8))
    try project.write("mine/POTCAR.W", Array("my own potential\n".utf8))
    _ = try project.pass()
    let files = project.tree("outbox/latest/structures")
    let folder = try #require(Set(files.map(Path.parent)).min())
    #expect(
      files.filter { $0.hasPrefix(folder + "/") }.map(Path.name) == ["INCAR", "KPOINTS", "POSCAR", "POTCAR"])
    #expect(try project.text("outbox/latest/structures/\(folder)/INCAR") == "ENCUT = 400\n")
    #expect(try project.text("outbox/latest/structures/\(folder)/POTCAR") == "my own potential\n")

    try project.write("template/INCAR", Array("ENCUT = 520\n".utf8))
    let second = try project.pass()
    #expect(second.outcome.record.busy == ["publish"])
    #expect(second.published?.number == 2)
    #expect(try project.text("outbox/latest/structures/\(folder)/INCAR") == "ENCUT = 520\n")
    // Touched, not changed.
    try project.write("template/INCAR", Array("ENCUT = 520\n".utf8))
    #expect(try project.pass().published == nil)
    // Gone: an error of the pipeline, not a crash, and nothing is published.
    try project.remove("mine/POTCAR.W")
    #expect { try project.pass() } throws: { ($0 as? RunError)?.kind == .pipeline }
    #expect(try project.files.readSymbolicLink(project.path("outbox/latest")) == "runs/000002")
  }

  @Test func oneRunAtATime() throws {
    let project = try Project.withRuns()
    let holder = try project.open()
    #expect {
      try project.open()
    } throws: { error in
      if case .held(_, let by)? = error as? LockError { by?.process.processID != nil } else { false }
    }
    try holder.close()
    let next = try project.open()
    try next.close()
  }

  @Test func aRemovedSourceWasNeverThere() throws {
    let project = try Project.withRuns()
    let without = try project.pass()
    try project.write("inbox/late/OUTCAR", Samples.run(20, strain: -0.02).outcar())
    let with = try project.pass()
    #expect(with.outcome.publication?.digest != without.outcome.publication?.digest)
    try project.remove("inbox/late/OUTCAR")
    let after = try project.pass()
    #expect(after.outcome.publication?.digest == without.outcome.publication?.digest)
    #expect(after.published?.number == 3, "what `latest` shows is what the inbox holds")
    let another = try Project.withRuns()
    #expect(try another.pass().outcome.publication?.digest == without.outcome.publication?.digest)
  }

  @Test func aRenamedFileIsTheSameSource() throws {
    let project = try Project.withRuns()
    _ = try project.pass()
    try project.move("inbox/second.OUTCAR", "inbox/a-better-name.OUTCAR")
    try project.move("pool/pool.xyz", "pool/renamed.xyz")
    let result = try project.pass()
    #expect(result.outcome.record.stage("ingest").ran == 0)
    #expect(result.outcome.record.stage("candidates").ran == 0)
    #expect(result.outcome.record.busy == ["publish"], "the list and the report show names")
    #expect(try project.text("outbox/latest/report.html").contains("a-better-name"))
    #expect(try project.text("outbox/latest/candidates.csv").contains("renamed.xyz"))
  }

  @Test func threadsDoNotMatter() throws {
    var publications: [Digest] = []
    for threads in [1, 4] {
      var pipeline = TinyPipeline()
      pipeline.threads = threads
      publications.append(try #require(try Project.withRuns(pipeline).pass().outcome.publication?.digest))
    }
    #expect(publications[0] == publications[1])
  }

  @Test func aPoolInTheInboxIsNotTrainingData() throws {
    var pipeline = TinyPipeline()
    pipeline.pool = "inbox/pool"
    let project = try Project.withRuns(pipeline)
    // Labelled, so that it would be taken if it were looked at; one of them lies deeper.
    try project.write("inbox/pool/labelled.xyz", Samples.extendedXYZ(Samples.frames(30)))
    try project.write("inbox/pool/deeper/vasprun.xml", Samples.run(31).vasprun())
    try project.write("inbox/pool/two-vacancies.vasp", Samples.vacancyPOSCAR)
    try project.write("inbox/poolside.xyz", Samples.extendedXYZ(Samples.frames(32)))
    let record = try project.pass().outcome.record
    let names = record.stage("ingest").sources.added.map(\.name)
    #expect(names.count == 5 && names.contains("poolside.xyz"), "\(names)")
    #expect(!names.contains { $0.hasPrefix("pool/") })
    let candidates = record.stage("candidates").sources.added.map(\.name)
    #expect(Set(candidates).isSuperset(of: ["pool.xyz", "labelled.xyz", "two-vacancies.vasp"]), "\(candidates)")
  }

  /// The pool may be one file, and its neighbours are then left alone.
  @Test func aPoolMayBeAFile() throws {
    var pipeline = TinyPipeline()
    pipeline.pool = "pool"
    let project = try Project.withRuns(pipeline)
    try project.write("pool/other.vasp", Samples.vacancyPOSCAR)
    project.pipeline.pool = "pool/pool.xyz"
    let record = try project.pass().outcome.record
    #expect(record.stage("candidates").sources.added.map(\.name) == ["pool.xyz"])
  }

  /// Both files give the energies that the fit measured itself with.
  @Test func theExportedPotentialIsTheFit() throws {
    var pipeline = TinyPipeline()
    pipeline.refit = "heldOut: 0, ensemble: { method: 'none' }"
    let project = try Project.withRuns(pipeline)
    let result = try project.pass()
    let fit = try CanonicalJSON.decode(
      FitSummary.self,
      project.artifactBytes(try #require(result.outcome.results["refit"]?.wholes[.potential]), "fit.json"))
    let predicted = fit.parity.filter { $0.quantity == "energy" }
    let yaml = try Potential(yaml: project.files.readFile(project.path("outbox/latest/potential/tiny.yaml")))
    let yace = try Potential(yace: project.files.readFile(project.path("outbox/latest/potential/tiny.yace")))

    var number = 0
    for item in try #require(result.outcome.results["ingest"]?.collections[.configurations]) {
      let bytes = try project.artifactBytes(item.artifact, "configurations.extxyz")
      for frame in try StructureFile(MemoryByteSource(bytes), name: "frames.extxyz").configurations {
        try #require(number < predicted.count)
        let atoms = Double(frame.count)
        let fromYAML = try Evaluator(yaml.basis).evaluate(yaml, frame).energy / atoms
        let fromYACE = try Evaluator(yace.basis).evaluate(yace, frame).energy / atoms
        // The same arithmetic on the same numbers; for .yace, sums in another order.
        #expect(abs(fromYAML - predicted[number].predicted) < 1e-12)
        #expect(abs(fromYACE - predicted[number].predicted) < 1e-10)
        number += 1
      }
    }
    #expect(number == predicted.count && number == 12)
    // It learned something: the labels spread more than it errs.
    let mean = predicted.map(\.reference).reduce(0, +) / Double(number)
    let spread = (predicted.map { ($0.reference - mean) * ($0.reference - mean) }.reduce(0, +) / Double(number))
      .squareRoot()
    let error =
      (predicted.map { ($0.reference - $0.predicted) * ($0.reference - $0.predicted) }.reduce(0, +) / Double(number))
      .squareRoot()
    #expect(error < 0.2 * spread, "\(error) of \(spread) eV/atom")
    let asi = try ActiveSetFile(decoding: project.files.readFile(project.path("outbox/latest/potential/tiny.asi")))
    #expect(asi.inverse(of: FinnisSinclairTungsten.tungsten)?.rows == yaml.basis.functions[0].count)
  }
}

extension Project {
  /// The bytes of a part, straight from the store on disk.
  func artifactBytes(_ artifact: Artifact, _ name: String) throws -> [UInt8] {
    let store = Store(files, state: path("outbox/.sluice"), report: { _ in })
    return try StoreActions(store, files).bytes(try #require(artifact.part(name)))
  }
}
