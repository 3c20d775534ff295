// What a pipeline file says under `executor` comes in; where its actions run, and with what, goes out.

import StageKit

/// Where a pipeline's actions run. Never part of a key: results do not depend on it.
public struct ExecutorOptions: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// Threads of this machine.
    case local
    /// Jobs of a Slurm cluster that shares the file system.
    case slurm
    /// Commands that are printed, for people and other schedulers.
    case manual
  }

  /// What one job asks for; nil for what the partition gives by itself.
  public struct Resources: Sendable, Equatable, Codable {
    public var minutes: Int?
    /// Per node, in MB of 1024 × 1024 bytes.
    public var megabytes: Int?
    public var processors: Int

    public init(minutes: Int?, megabytes: Int?, processors: Int) {
      self.minutes = minutes
      self.megabytes = megabytes
      self.processors = processors
    }
  }

  public var kind = Kind.local
  /// Empty for the cluster's default.
  public var partition = ""
  public var account = ""
  /// Of each task of an array.
  public var share = Resources(minutes: 60, megabytes: 2048, processors: 1)
  /// Of the job that folds what the tasks gave.
  public var merge = Resources(minutes: 240, megabytes: 8192, processors: 4)
  /// Whether folds run where `sluice run` runs instead of in a job.
  public var mergesHere = false
  /// Sources in one task; nil: so many that there are at most 256 tasks.
  public var sourcesPerTask: Int?
  /// Most tasks of one array that run at once; 0 for no limit.
  public var atOnce = 0
  /// How often a task that ended without a result is started again.
  public var retries = 2
  /// Further options of sbatch.
  public var sbatch: [String] = []
  /// Shell lines before the work begins ("module load …").
  public var setup: [String] = []
  /// The program on the nodes; empty for the one that runs.
  public var program = ""
  /// Seconds between looks at the queue.
  public var poll = 30.0
  /// How long a silent controller or a full queue is waited for when a job is to be submitted, in seconds.
  public var patience = 3600.0
  /// How long the result of a task that has ended may stay unseen on this machine, in seconds.
  public var grace = 30.0

  public init(_ kind: Kind = .local) { self.kind = kind }

  /// Options of sbatch that the executor sets itself.
  private static let own: Set<String> = [
    "array", "chdir", "comment", "cpus-per-task", "dependency", "error", "job-name", "kill-on-invalid-dep", "mem",
    "ntasks",
    "output", "parsable", "partition", "account", "test-only", "time", "wait", "wrap",
  ]

  /// Reads `executor`: a word, or an object with `use`.
  init(_ value: ParameterValue) throws(ParameterError) {
    if case .text(let word) = value.content {
      guard let kind = Kind(rawValue: word) else {
        throw ParameterError(
          "executor must be one of 'local', 'slurm', 'manual'" + didYouMean(word, among: Kind.allCases.map(\.rawValue)),
          at: value.place)
      }
      self.init(kind)
      return
    }
    guard case .object = value.content else {
      throw ParameterError("executor must be 'local', 'slurm', 'manual' or { use: 'slurm', … }", at: value.place)
    }
    var decoder = try ParameterDecoder(value, path: "executor.")
    try self.init(&decoder)
    try decoder.finish()
  }

  /// Every option with its default; `sluice stages executor` prints what is asked for here.
  public init(_ decoder: inout ParameterDecoder) throws(ParameterError) {
    let name = try decoder.choice(
      "use", of: Kind.allCases.map(\.rawValue), default: nil, "Where actions run.")
    self.init(Kind(rawValue: name) ?? .local)
    partition = try decoder.text("partition", default: "", "Slurm partition; '' for the cluster's default.")
    account = try decoder.text("account", default: "", "Account that pays; '' for the user's default.")
    try Self.requirePlain(partition, "partition", decoder)
    try Self.requirePlain(account, "account", decoder)
    share = try Self.resources(&decoder, share, "each task")
    merge = try decoder.object("merge", "The job that folds what the tasks gave.") {
      [merge] (inner: inout ParameterDecoder) throws(ParameterError) in
      try Self.resources(&inner, merge, "the job")
    }
    mergesHere = try decoder.logical(
      "mergeHere", default: false, "Fold where 'sluice run' runs instead of in a job.")
    let count = try decoder.integerOrAuto(
      "sourcesPerTask", in: 1...1_000_000, "Sources in one task; 'auto': at most 256 tasks.")
    sourcesPerTask = count
    atOnce = try decoder.integer("atOnce", default: 0, in: 0...1_000_000, "Most tasks at once; 0 for no limit.")
    retries = try decoder.integer(
      "retries", default: 2, in: 0...20, "How often a task that ended without a result is started again.")
    sbatch = try decoder.texts("sbatch", default: [], "Further options of sbatch, as '--qos=low'.")
    setup = try decoder.texts("setup", default: [], "Shell lines before the work, as 'module load openblas'.")
    program = try decoder.text("program", default: "", "The sluice program on the nodes; '' for the one that runs.")
    poll = try decoder.number("poll", default: 30, in: .between(1, 3600), unit: "s", "Time between looks at the queue.")
    patience = try decoder.number(
      "patience", default: 3600, in: .notNegative, unit: "s",
      "How long a silent controller is waited for when a job is to be submitted.")
    grace = try decoder.number(
      "grace", default: 30, in: .notNegative, unit: "s",
      "How long a result may stay unseen after its task has ended: the file system's delay between machines.")
    for option in sbatch { try Self.check(option, decoder) }
    for line in setup where line.contains(where: \.isNewline) {
      throw decoder.refuse("setup", "must be a list of single lines")
    }
    if !program.isEmpty, !program.hasPrefix("/") {
      throw decoder.refuse("program", "must be an absolute path, for it is started on other machines")
    }
  }

  private static func resources(_ decoder: inout ParameterDecoder, _ fallback: Resources, _ whose: String)
    throws(ParameterError) -> Resources
  {
    let time = try decoder.text(
      "time", default: SlurmTime.text(minutes: fallback.minutes!),
      "Time limit of \(whose), as Slurm writes it (minutes, h:mm:ss, d-hh); 'default' for the partition's.")
    let memory = try decoder.text(
      "memory", default: "\(fallback.megabytes! / 1024)G",
      "Memory of \(whose) (M, G, T); 'default' for the partition's.")
    let processors = try decoder.integer(
      "cpus", default: fallback.processors, in: 1...4096, "Processors of \(whose).")
    var result = Resources(minutes: nil, megabytes: nil, processors: processors)
    if time != "default" {
      guard let minutes = SlurmTime.minutes(time), minutes > 0 else {
        throw decoder.refuse("time", "must be a time limit such as '90', '1:30:00' or '2-12', not '\(time)'")
      }
      result.minutes = minutes
    }
    if memory != "default" {
      guard let megabytes = megabytes(memory) else {
        throw decoder.refuse("memory", "must be an amount such as '500M', '4G' or '1T', not '\(memory)'")
      }
      result.megabytes = megabytes
    }
    return result
  }

  private static func megabytes(_ text: String) -> Int? {
    let units: [Character: Int] = ["M": 1, "G": 1 << 10, "T": 1 << 20]
    guard let unit = text.last.flatMap({ units[Character($0.uppercased())] }), let number = Int(text.dropLast()),
      (1...1 << 20).contains(number)
    else { return nil }
    return number * unit
  }

  /// Such names go to sbatch as they stand.
  private static func requirePlain(_ word: String, _ name: String, _ decoder: ParameterDecoder) throws(ParameterError) {
    let isPlain = word.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "._-,+".unicodeScalars.contains($0))
    }
    if !isPlain || word.hasPrefix("-") { throw decoder.refuse(name, "must be a plain name, not '\(word)'") }
  }

  private static func check(_ option: String, _ decoder: ParameterDecoder) throws(ParameterError) {
    let name = String(option.dropFirst(2).prefix { $0 != "=" })
    guard option.hasPrefix("--"), !name.isEmpty, !option.unicodeScalars.contains(where: { $0.value < 32 }) else {
      throw decoder.refuse("sbatch", "must be a list of long options, as '--qos=low', not '\(option)'")
    }
    if own.contains(name) {
      throw decoder.refuse("sbatch", "may not set --\(name), which the executor sets itself; see its own options")
    }
  }
}

/// Slurm's ways to write a time limit.
enum SlurmTime {
  /// Minutes, rounded up, from "M", "M:S", "H:M:S", "D-H", "D-H:M", "D-H:M:S".
  static func minutes(_ text: String) -> Int? {
    let halves = text.split(separator: "-", omittingEmptySubsequences: false)
    let parts = (halves.last ?? "").split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard halves.count <= 2, (1...3).contains(parts.count),
      !parts.contains(where: { $0.map { !(0...1_000_000).contains($0) } ?? true })
    else { return nil }
    let numbers = parts.map { $0! }
    var seconds: Int
    if halves.count == 2 {
      guard let days = Int(halves[0]), (0...10_000).contains(days) else { return nil }
      seconds = days * 86_400
      for (number, unit) in zip(numbers, [3600, 60, 1]) { seconds += number * unit }
    } else {
      let units = numbers.count == 3 ? [3600, 60, 1] : [60, 1]
      seconds = zip(numbers, units).reduce(0) { $0 + $1.0 * $1.1 }
    }
    return (seconds + 59) / 60
  }

  /// "1-02:30:00" for 1590 minutes.
  static func text(minutes: Int) -> String {
    let two = { (number: Int) in (number < 10 ? "0" : "") + String(number) }
    let (days, rest) = (minutes / 1440, minutes % 1440)
    return (days > 0 ? "\(days)-" + two(rest / 60) : String(rest / 60)) + ":" + two(rest % 60) + ":00"
  }
}
