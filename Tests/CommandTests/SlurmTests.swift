import Configurations
import Foundation
import Platform
import TestSupport
import Testing
import TungstenReference

/// The built program on a real cluster of four nodes, whose tasks and controller are killed.
@Suite(.enabled(if: Program.isBuilt, Program.skipped), .enabled(if: SlurmCluster.isAvailable, SlurmCluster.skipped))
struct SlurmTests {
  /// Waits until something holds. The limit ends a test that would wait for ever; a busy machine does not reach it.
  private func wait(_ what: Comment, until holds: () throws -> Bool) throws {
    let end = Date().addingTimeInterval(300)
    while try !holds() {
      try #require(Date() < end, what)
      Thread.sleep(forTimeInterval: 0.05)
    }
  }

  @Test func tasksAndControllerMayDie() throws {
    let cluster = try SlurmCluster()
    let project = try SpreadProject(cluster)
    let here = try project.program.run(["run", "-q", try project.writePipeline("local", "'local'")])
    #expect(here.status == 3, "a broken file is set aside: \(here.messages)")
    let expected = try project.published("local")
    #expect(expected.count > 5)

    // Undisturbed.
    let options = "poll: 1, grace: 1, memory: '200M', merge: { memory: '400M', cpus: 2 }"
    let calm = try project.program.run(["run", try project.writePipeline("calm", "{ use: 'slurm', \(options) }")])
    #expect(calm.status == 3, "\(calm.messages)")
    #expect(calm.messages.contains("submitted as job"))
    #expect(try project.published("calm") == expected)
    #expect(project.orders("calm").isEmpty)

    // Tasks stand at a gate until they were hit, however slowly this machine starts them. A controller that dies may
    // hold for running what it never hears the end of: the time limit ends that.
    let gate = project.program.folder.path + "/gate"
    let slow = try project.writePipeline(
      "storm",
      "{ use: 'slurm', sourcesPerTask: 2, time: '1', setup: ['while [ ! -e \(gate) ]; do sleep 0.1; done'], \(options) }"
    )
    let first = try project.program.start(["run", slow])
    try wait("tasks run") { try cluster.shell("squeue -h -r -t running -o %A").split(separator: "\n").count > 6 }
    let array = try cluster.shell("squeue -h -r -t running -o '%F_%K' | sort").split(separator: "\n").map(String.init)
      .filter { !$0.hasSuffix("N/A") }
    try cluster.shell("scancel --batch --signal=KILL \(array[0]); scancel \(array[1]); scontrol requeue \(array[2])")
    // Another process does two tasks at the same time.
    let order = try #require(project.orders("storm").first { $0.contains("/ingest-") })
    _ = try project.program.run(["work", order, "1", "2"])
    // The run is stopped, and the controller dies.
    kill(first.process.processIdentifier, SIGINT)
    let stopped = try first.wait()
    #expect(stopped.status == 130 && stopped.messages.contains("go on without this run"), "\(stopped.messages)")
    let status = try project.program.run(["status", slow])
    #expect(status.text.contains("elsewhere ingest: "), "\(status.text)")
    try cluster.killController()
    let second = try project.program.start(["run", slow])
    try wait("it finds the jobs") { try second.messages().contains("An earlier run left jobs") }
    // Tasks end while nobody takes note of it.
    try project.program.write("gate", "")
    Thread.sleep(forTimeInterval: 1.5)
    try cluster.startController()
    let result = try second.wait()
    #expect(result.status == 3, "\(result.messages)")
    #expect(try project.published("storm") == expected)
    #expect(project.orders("storm").isEmpty)
    #expect(try project.program.run(["verify", slow]).status == 0)
    // Nothing is computed again.
    let again = try project.program.run(["run", slow])
    #expect(again.messages.contains("Nothing new"), "\(again.messages)")
  }
}

/// Commands that are printed for people, in place of a scheduler.
@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct ManualWorkTests {
  @Test func peopleCanDoTheWork() throws {
    let project = try SpreadProject(nil)
    _ = try project.program.run(["run", "-q", try project.writePipeline("local", "'local'")])
    let pipeline = try project.writePipeline("hand", "'manual'")
    for round in 1...4 {
      let outcome = try project.program.run(["run", pipeline])
      guard outcome.status == 75 else {
        #expect(outcome.status == 3 && round == 3, "\(outcome.messages)")
        break
      }
      #expect(outcome.messages.contains("commands are to be run"))
      try project.program.folder.shell(outcome.text)
    }
    #expect(try project.published("hand") == project.published("local"))
  }
}

/// A project of 24 runs and a pool, in a folder whose name a shell would take apart.
private struct SpreadProject {
  var program: Program
  private let name = "it's a %j project"

  init(_ cluster: SlurmCluster?) throws {
    program = try Program()
    program.environment = cluster?.environment
    for number in 1...12 {
      let run = Samples.run(2, seed: UInt64(number))
      try program.write("\(name)/in/md/\(number).xml", run.vasprun())
      try program.write("\(name)/in/more \(number)/OUTCAR", Samples.run(2, seed: UInt64(100 + number)).outcar())
    }
    try program.write("\(name)/in/broken.xml", Array(Samples.run(1).vasprun().prefix(300)))
    try program.write("\(name)/pool/new.xyz", Samples.extendedXYZ(Samples.steps(3, seed: 500)))
  }

  func writePipeline(_ outbox: String, _ executor: String) throws -> String {
    let text = """
      { sluice: 1, project: 'tungsten', elements: ['W'], inbox: 'in', outbox: '\(outbox)', settle: 0, truncatedAfter: 0,
        executor: \(executor), threads: 2,
        stages: [
          { use: 'ingest' }, { use: 'screen' }, { use: 'featurize', cutoff: 4.2, order: 2, functions: 12 },
          { use: 'refit', ensemble: { method: 'bootstrap', members: 3 } }, { use: 'recluster' },
          { use: 'candidates', pools: ['pool'] }, { use: 'rank', top: 3 }, { use: 'publish' },
        ] }
      """
    try program.write("\(name)/\(outbox).json5", text)
    return "\(name)/\(outbox).json5"
  }

  /// Every published file with its bytes, but for the records of when and where.
  func published(_ outbox: String) throws -> [String: [UInt8]] {
    let latest = program.folder.path + "/\(name)/\(outbox)/latest"
    let folder = URL(fileURLWithPath: latest).resolvingSymlinksInPath().path
    var files: [String: [UInt8]] = [:]
    let names = (FileManager.default.enumerator(atPath: folder)?.allObjects ?? []).compactMap { $0 as? String }
    for name in names where !["run.json", "manifest.json"].contains(name) {
      if let bytes = try? PosixFileSystem().readFile(folder + "/" + name) { files[name] = bytes }
    }
    return files
  }

  /// The folders of orders in an outbox's state.
  func orders(_ outbox: String) -> [String] {
    let folder = program.folder.path + "/\(name)/\(outbox)/.sluice/work"
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().map { folder + "/" + $0 }
  }
}
