import Glibc

/// A run of many mutants over many targets.
public struct FuzzRun: Sendable {
  public var seed: UInt64
  /// Mutants of each target.
  public var count: Int
  /// CPU seconds that one case may take, the inputs being far below one megabyte.
  public var secondsPerCase = 10
  /// Gets the case before it runs, so that it is known if the process dies; nil for none.
  public var log: String?

  public init(seed: UInt64, count: Int, log: String? = nil) {
    self.seed = seed
    self.count = count
    self.log = log
  }

  public struct Finding: Sendable, CustomStringConvertible {
    public var target: String
    public var number: Int
    public var seed: UInt64
    public var cause: String

    public var description: String {
      "\(target), case \(number) of seed \(seed): \(cause). Again: SLUICE_FUZZ_SEED=\(seed) SLUICE_FUZZ_CASE=\(target):\(number)"
    }
  }

  /// Runs everything until `isOver`; gives the findings and how many cases were run.
  public func callAsFunction(
    _ targets: [FuzzTarget] = FuzzTarget.all, isOver: () -> Bool = { false }
  ) -> (findings: [Finding], cases: Int) {
    let file = log.map { open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o600) }
    defer { if let file { close(file) } }
    var findings: [Finding] = []
    var cases = 0
    for number in 0..<count {
      for target in targets {
        if isOver() { return (findings, cases) }
        if let file { Self.write("\(target.name):\(number)", to: file) }
        let mutant = Mutator.mutant(of: target, seed: seed, number: number)
        if file != nil { Self.setAlarm(secondsPerCase) }
        if let cause = target.judge(mutant) {
          findings.append(Finding(target: target.name, number: number, seed: seed, cause: cause))
        }
        cases += 1
      }
    }
    if file != nil { Self.setAlarm(0) }
    return (findings, cases)
  }

  /// Fixed width, so that a shorter case leaves nothing of the longer one before it.
  private static func write(_ text: String, to file: Int32) {
    var line = Array(text.utf8.prefix(63))
    line += [UInt8](repeating: 0x20, count: 63 - line.count) + [0x0A]
    _ = pwrite(file, line, line.count, 0)
  }

  /// CPU time, not the clock's: a busy machine is no hang. SIGPROF ends the process.
  private static func setAlarm(_ seconds: Int) {
    var timer = itimerval()
    timer.it_value.tv_sec = seconds
    setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &timer, nil)
  }
}
