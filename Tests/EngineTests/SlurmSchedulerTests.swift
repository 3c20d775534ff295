import Engine
import StageKit
import Synchronization
import Testing

/// What is said to Slurm's commands and made of their answers; the commands are played.
@Suite struct SlurmSchedulerTests {
  private func scheduler(
    _ options: ExecutorOptions = ExecutorOptions(.slurm), _ answer: @escaping @Sendable ([String]) -> CommandOutcome?
  ) -> SlurmScheduler {
    SlurmScheduler(options, run: answer)
  }

  private let job = BatchJob(
    name: "sluice-ingest-1", script: "/a b/job.sh", folder: "/a b", tasks: 7,
    resources: .init(minutes: 90, megabytes: 512, processors: 2), attempt: 0, after: [])

  @Test func whatSbatchIsTold() throws {
    var options = ExecutorOptions(.slurm)
    (options.partition, options.account, options.atOnce) = ("long", "w-42", 3)
    options.sbatch = ["--qos=low"]
    let said = Mutex<[String]>([])
    let slurm = scheduler(options) { words in
      said.withLock { $0 = words }
      return CommandOutcome(status: 0, output: "site remark\n4711;cluster\n")
    }
    #expect(try slurm.submit(job) == "4711")
    #expect(
      said.withLock { $0 } == [
        "sbatch", "--parsable", "--job-name=sluice-ingest-1", "--chdir=/a b", "--ntasks=1", "--cpus-per-task=2",
        "--time=1:30:00", "--mem=512M", "--partition=long", "--account=w-42", "--array=1-7%3",
        "--output=/dev/null", "--requeue", "--qos=low", "/a b/job.sh",
      ])
    var folds = job
    (folds.tasks, folds.after, folds.attempt) = (nil, ["11", "12"], 1)
    folds.resources = .init(minutes: nil, megabytes: nil, processors: 1)
    _ = try slurm.submit(folds)
    let words = said.withLock { $0 }
    #expect(words.contains("--dependency=afterok:11:12") && words.contains("--kill-on-invalid-dep=yes"))
    #expect(words.contains("--comment=attempt 2"))
    #expect(!words.contains { $0.hasPrefix("--array") || $0.hasPrefix("--time") || $0.hasPrefix("--mem") })
  }

  @Test(arguments: [
    ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", "unreachable"),
    ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", "unreachable"),
    ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", "unreachable"),
    ("sbatch: error: Munge encode failed: Failed to access socket", "unreachable"),
    ("sbatch: error: QOSMaxSubmitJobPerUserLimit sbatch: error: AssocMaxSubmitJobLimit", "full"),
    ("sbatch: error: invalid partition specified: gpu", "refused"),
    ("sbatch: error: Batch job submission failed: Invalid job array specification", "refused"),
    ("sbatch: error: Memory specification can not be satisfied", "refused"),
  ]) func whatSbatchsErrorsMean(words: String, kind: String) throws {
    let error = try #require(throws: SchedulerError.self) {
      try scheduler { _ in CommandOutcome(status: 1, errors: words) }.submit(job)
    }
    #expect("\(error)" == words)
    let name =
      switch error {
      case .absent: "absent"
      case .unreachable: "unreachable"
      case .full: "full"
      case .refused: "refused"
      }
    #expect(name == kind)
  }

  @Test func anAnswerWithoutANumberIsNoAnswer() throws {
    let error = try #require(throws: SchedulerError.self) {
      try scheduler { _ in CommandOutcome(status: 0, output: "") }.submit(job)
    }
    if case .unreachable = error {} else { Issue.record("\(error)") }
  }

  @Test func aMachineWithoutSlurmSaysSo() throws {
    let error = try #require(throws: SchedulerError.self) { try scheduler { _ in nil }.submit(job) }
    #expect(error == .absent("the command 'sbatch' is not on this machine."))
  }

  @Test func whatSqueueSays() throws {
    let text = """
      sluice-a|101|1|RUNNING|None
      sluice-a|101|2|PENDING|Resources
      sluice-a|101|3|PENDING|launch failed requeued held
      sluice-a|101|4|OUT_OF_MEMORY|OutOfMemory
      sluice-a|101|5|COMPLETING|None
      sluice-a|101|6|REQUEUED|None
      sluice-a|101|7|PREEMPTED|None
      sluice-a|101|8|FAILED|NonZeroExitCode
      sluice-a|101|9|FAILED|JobLaunchFailure
      sluice-b|109|N/A|PENDING|Dependency
      sluice-b|109|N/A|PENDING|DependencyNeverSatisfied
      nonsense

      """
    let tasks = try scheduler { words in
      #expect(words.contains("--name=sluice-a,sluice-b") && words.contains("--states=all"))
      return CommandOutcome(status: 0, output: text)
    }.tasks(named: ["sluice-a", "sluice-b"])
    #expect(tasks.map(\.number) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1])
    #expect(tasks.map(\.job) == Array(repeating: "101", count: 9) + ["109", "109"])
    #expect(
      tasks.map(\.state) == [
        .running, .waiting, .stuck("launch failed requeued held"), .ended("OUT_OF_MEMORY"), .running, .waiting,
        .running, .ended("FAILED"), .ended("FAILED, JobLaunchFailure"), .waiting, .stuck("DependencyNeverSatisfied"),
      ])
  }

  /// Whatever squeue fails with: nothing is known, and nothing is concluded.
  @Test func aFailingSqueueIsSilence() throws {
    let error = try #require(throws: SchedulerError.self) {
      try scheduler { _ in CommandOutcome(status: 1, errors: "slurm_load_jobs error: Invalid job id") }
        .tasks(named: ["a"])
    }
    #expect(error == .unreachable("slurm_load_jobs error: Invalid job id"))
  }

  @Test func whatScontrolAndSacctSay() {
    #expect(
      scheduler { _ in CommandOutcome(status: 0, output: "MailProg = /bin/mail\nMaxArraySize            = 10001\n") }
        .largestArray() == 10_000)
    #expect(scheduler { _ in CommandOutcome(status: 1) }.largestArray() == 1000)
    let accounts = scheduler { words in
      words.contains("--jobs=5_2") ? CommandOutcome(status: 0, output: "CANCELLED by 1000\n") : nil
    }
    #expect(accounts.ending(job: "5", number: 2) == "CANCELLED")
    #expect(accounts.ending(job: "6", number: 2) == nil)
  }

  @Test func commandsRunWithoutAShellAndWithALimit() throws {
    let echo = try #require(CommandOutcome.of(["printf", "%s", "a b'$HOME;"]))
    #expect(echo == CommandOutcome(status: 0, output: "a b'$HOME;"))
    let slow = try #require(CommandOutcome.of(["sleep", "20"], limit: 0.2))
    #expect(slow.status != 0 && slow.errors.contains("no answer"))
    #expect(CommandOutcome.of(["no-such-command-at-all"]) == nil)
  }
}

@Suite struct ExecutorOptionsTests {
  private func read(_ executor: String) throws(ParameterError) -> ExecutorOptions {
    let text =
      "{ sluice: 1, project: 'toy', elements: ['W'], inbox: 'in', outbox: 'out',\n executor: \(executor),\n stages: [{use:'numbers'}] }"
    return try PipelineFile(Array(text.utf8), path: "toy.json5", stages: Toy.registry).executor
  }

  @Test func aWordOrAnObject() throws {
    #expect(try read("'local'") == ExecutorOptions(.local))
    #expect(try read("'slurm'") == ExecutorOptions(.slurm))
    #expect(try read("{ use: 'manual' }") == ExecutorOptions(.manual))
    #expect(try Toy.file().executor.kind == .local)
    let full = try read(
      """
      { use: 'slurm', partition: 'long', account: 'w-42', time: '1-12', memory: '500M', cpus: 2, sourcesPerTask: 9,
        atOnce: 50, retries: 0, sbatch: ['--qos=low', '--constraint=icelake'], setup: ['module load openblas'],
        program: '/opt/my tools/sluice', poll: 60, patience: 0, mergeHere: false,
        merge: { time: 'default', memory: '1T', cpus: 16 } }
      """)
    #expect(full.share == .init(minutes: 36 * 60, megabytes: 500, processors: 2))
    #expect(full.merge == .init(minutes: nil, megabytes: 1 << 20, processors: 16))
    #expect(full.sourcesPerTask == 9 && full.setup == ["module load openblas"])
  }

  @Test(arguments: [
    ("'slurn'", "did you mean 'slurm'?"), ("3", "executor must be 'local'"), ("{ }", "'executor.use' must be given"),
    ("{ use: 'slurm', partitions: 'x' }", "did you mean 'partition'?"),
    ("{ use: 'slurm', partition: 'a b' }", "must be a plain name"),
    ("{ use: 'slurm', account: '-x' }", "must be a plain name"),
    ("{ use: 'slurm', time: 'soon' }", "such as '90', '1:30:00' or '2-12'"),
    ("{ use: 'slurm', time: '0' }", "must be a time limit"), ("{ use: 'slurm', memory: '4' }", "such as '500M'"),
    ("{ use: 'slurm', memory: '-1G' }", "such as '500M'"), ("{ use: 'slurm', cpus: 0 }", "must be at least 1"),
    ("{ use: 'slurm', merge: { memory: 'much' } }", "executor.merge.memory must be an amount"),
    ("{ use: 'slurm', merge: { poll: 3 } }", "unknown key 'executor.merge.poll'"),
    ("{ use: 'slurm', sbatch: ['-p long'] }", "long options"),
    ("{ use: 'slurm', sbatch: ['--array=1-3'] }", "may not set --array"),
    ("{ use: 'slurm', setup: ['a\\nb'] }", "single lines"),
    ("{ use: 'slurm', program: 'bin/sluice' }", "absolute path"),
    ("{ use: 'slurm', poll: 0 }", "executor.poll must be"), ("{ use: 'slurm', use: 'local' }", "is given twice"),
    ("{ use: 'slurm', sourcesPerTask: 0 }", "must be at least 1"),
  ]) func whatIsRefused(text: String, words: String) throws {
    let error = try #require(throws: ParameterError.self) { try read(text) }
    #expect(error.description.contains(words), "\(error)")
    #expect(error.place.line == 2 && error.file == "toy.json5")
  }

  @Test(arguments: [
    ("90", 90, "1:30:00"), ("1:30", 2, "0:02:00"), ("1:30:00", 90, "1:30:00"), ("2-12", 3600, "2-12:00:00"),
    ("0-0:5", 5, "0:05:00"), ("1-2:3:4", 1564, "1-02:04:00"),
  ]) func times(text: String, minutes: Int, shown: String) throws {
    #expect(try read("{ use: 'slurm', time: '\(text)' }").share.minutes == minutes)
    // The way back, as sbatch is told.
    let said = Mutex<[String]>([])
    let slurm = SlurmScheduler(ExecutorOptions(.slurm)) { words in
      said.withLock { $0 = words }
      return CommandOutcome(status: 0, output: "1")
    }
    _ = try slurm.submit(
      BatchJob(
        name: "n", script: "s", folder: "f", tasks: nil,
        resources: .init(minutes: minutes, megabytes: nil, processors: 1),
        attempt: 0, after: []))
    #expect(said.withLock { $0.contains("--time=\(shown)") })
  }

  /// Where work is done does not enter any key.
  @Test func noKeyDependsOnIt() throws {
    let plans = try ["'local'", "{ use: 'slurm', cpus: 3 }"].map { executor in
      let text =
        "{ sluice: 1, project: 'toy', elements: ['W'], inbox: 'in', outbox: 'out', executor: \(executor), stages: \(Toy.everything) }"
      let file = try PipelineFile(Array(text.utf8), path: "toy.json5", stages: Toy.registry)
      return "\(try Planner(stages: Toy.registry).plan(file))"
    }
    #expect(plans[0] == plans[1])
  }
}
