import Glibc

/// Which process on which boot of which machine: enough to tell whether it still lives.
public struct ProcessIdentity: Sendable, Equatable, Codable {
  public var host: String
  /// Changes with every start of the machine.
  public var bootID: String
  public var processID: Int32
  /// Clock ticks from boot to the start of the process; tells a reused number apart.
  public var processStart: UInt64
  /// The process namespace: two containers count their processes apart.
  public var namespace: String

  public init(
    host: String, bootID: String, processID: Int32, processStart: UInt64, namespace: String
  ) {
    self.host = host
    self.bootID = bootID
    self.processID = processID
    self.processStart = processStart
    self.namespace = namespace
  }

  /// The calling process.
  public static func current() -> ProcessIdentity {
    var name = [UInt8](repeating: 0, count: 256)
    let host =
      name.withUnsafeMutableBytes { gethostname($0.baseAddress!, 255) } == 0
      ? String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) : "unknown"
    let pid = getpid()
    let files = PosixFileSystem()
    return ProcessIdentity(
      host: host, bootID: text("/proc/sys/kernel/random/boot_id") ?? "",
      processID: pid, processStart: running(pid) ?? 0,
      namespace: (try? files.readSymbolicLink("/proc/self/ns/pid")) ?? "")
  }

  /// False only when the process certainly ended: it ran on this boot of this machine, in this
  /// namespace, and its number is free, reused, or a zombie's.
  public func mayBeAlive(seenFrom here: ProcessIdentity) -> Bool {
    guard host == here.host, !bootID.isEmpty, bootID == here.bootID, namespace == here.namespace
    else { return true }
    return Self.running(processID) == processStart
  }

  /// The user whose files this process makes.
  public static var effectiveUser: UInt32 { geteuid() }

  private static func text(_ path: String) -> String? {
    guard let bytes = try? PosixFileSystem().readFile(path) else { return nil }
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    return String(decoding: line, as: UTF8.self)
  }

  /// The start time of a process that still runs, from proc(5): the name in parentheses may hold
  /// anything, so fields are counted after its last parenthesis.
  private static func running(_ pid: Int32) -> UInt64? {
    guard let line = text("/proc/\(pid)/stat"), let end = line.lastIndex(of: ")") else {
      return nil
    }
    let fields = line[line.index(after: end)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return UInt64(fields[19])
  }
}
