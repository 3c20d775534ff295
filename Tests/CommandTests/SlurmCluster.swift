import Foundation
import Platform
import TestSupport
import Testing

/// A Slurm cluster of four nodes on this machine, with its own folder, ports and credentials; it
/// touches no other and ends with its last reference.
final class SlurmCluster {
  private static let programs = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo"]

  private static func path(_ program: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    return (folders + ["/usr/sbin", "/usr/bin"]).map { $0 + "/" + program }.first(
      where: FileManager.default.isExecutableFile)
  }

  /// Daemons that start jobs as other users need root; tests of others skip them.
  static let isAvailable = programs.allSatisfy { path($0) != nil } && geteuid() == 0
  static let skipped: Comment =
    "skipped: Slurm's daemons (packages slurm-wlm, munge) or the rights to start them are absent"

  /// Seconds for which the right to start a task holds. A requeued job waits as long; Slurm's default is 120.
  private static let credentialLife = 15

  private let scratch: ScratchFolder
  var configuration: String { scratch.path + "/slurm.conf" }

  init() throws {
    scratch = try ScratchFolder()
    try start(port: Self.freePorts(5))
  }

  deinit { stop() }

  /// The first of so many ports in a row that nobody listens at, below those that connections are given.
  private static func freePorts(_ count: Int) throws -> Int {
    let start = Int(getpid()) % 1000
    let bases = (0..<1000).map { 20_000 + 10 * ((start + $0) % 1000) }
    return try #require(bases.first { base in (base..<base + count).allSatisfy(isFree) }, "free ports")
  }

  private static func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  /// `text` of a shell, with this cluster's commands.
  @discardableResult
  func shell(_ text: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    // Foundation takes a process for running as long as anyone holds a descriptor that it gave it, and
    // daemons would.
    let closing = "for fd in /proc/$$/fd/*; do n=${fd##*/}; [ $n -gt 2 ] && eval \"exec $n>&-\"; done 2>/dev/null\n"
    process.arguments = ["-c", closing + text]
    process.environment = environment
    process.currentDirectoryURL = URL(fileURLWithPath: scratch.path)
    // A daemon would keep a pipe open.
    let log = scratch.path + "/shell-" + UUID().uuidString
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return String(decoding: try PosixFileSystem().readFile(log), as: UTF8.self)
  }

  var environment: [String: String] {
    var environment = ProcessInfo.processInfo.environment.filter {
      !$0.key.hasPrefix("SLURM") && !$0.key.hasPrefix("SBATCH")
    }
    environment["SLURM_CONF"] = configuration
    environment["PATH"] = (environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    return environment
  }

  /// Ends the controller at once; jobs go on.
  func killController() throws { try shell("kill -9 $(cat controller.pid)") }

  /// A controller that was killed forgets what it did last: it would give the numbers of its last jobs again, and nodes
  /// that still know those go out of service for good ("Duplicate jobid"). So its numbers begin higher.
  func startController() throws {
    try shell("sed -i s/^FirstJobId=.*/FirstJobId=10000/ slurm.conf; slurmctld -f slurm.conf")
  }

  private func start(port: Int) throws {
    let (folder, host) = (scratch.path, ProcessIdentity.current().host)
    let text = """
      ClusterName=sluice
      SlurmctldHost=\(host)(127.0.0.1)
      SlurmUser=root
      SlurmdUser=root
      AuthType=auth/munge
      AuthInfo=socket=\(folder)/munge/socket,cred_expire=\(Self.credentialLife)
      SlurmctldPort=\(port)
      StateSaveLocation=\(folder)/state
      SlurmdSpoolDir=\(folder)/spool.%n
      SlurmctldPidFile=\(folder)/controller.pid
      SlurmdPidFile=\(folder)/node.%n.pid
      SlurmctldLogFile=\(folder)/controller.log
      SlurmdLogFile=\(folder)/node.%n.log
      ProctrackType=proctrack/linuxproc
      TaskPlugin=task/none
      SwitchType=switch/none
      MpiDefault=none
      JobAcctGatherType=jobacct_gather/none
      AccountingStorageType=accounting_storage/none
      SelectType=select/cons_tres
      SelectTypeParameters=CR_Core_Memory
      DefMemPerCPU=100
      SchedulerType=sched/backfill
      SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,default_queue_depth=1000
      SlurmdParameters=config_overrides
      ReturnToService=2
      MaxArraySize=101
      FirstJobId=1
      MinJobAge=60
      KillWait=2
      SlurmctldTimeout=300
      SlurmdTimeout=300
      NodeName=n[1-4] NodeHostname=\(host) NodeAddr=127.0.0.1 Port=[\(port + 1)-\(port + 4)] CPUs=4 RealMemory=4000 State=UNKNOWN
      PartitionName=debug Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: configuration))
    try shell(
      """
      mkdir -p state munge spool.n1 spool.n2 spool.n3 spool.n4 && chmod 755 . munge
      head -c 1024 /dev/urandom > munge/key && chmod 600 munge/key
      munged --force --socket=$PWD/munge/socket --key-file=$PWD/munge/key --pid-file=$PWD/munge/pid \
        --log-file=$PWD/munge/log --seed-file=$PWD/munge/seed
      slurmctld -f slurm.conf
      for n in n1 n2 n3 n4; do slurmd -f slurm.conf -N $n; done
      for i in $(seq 1200); do [ "$(sinfo -h -o %T)" = idle ] && break; sleep 0.1; done
      """)
    try #require(try shell("sinfo -h -o '%T %D'") == "idle 4\n", "the cluster came up")
  }

  /// Jobs first, so that nothing of theirs stays; then the daemons, and the credentials last.
  private func stop() {
    _ = try? shell(
      """
      scancel --user=root; for i in $(seq 30); do [ -z "$(squeue -h)" ] && break; sleep 0.1; done
      daemons=$(cat node.n?.pid controller.pid)
      kill $daemons
      for i in $(seq 50); do kill -0 $daemons 2>/dev/null || break; sleep 0.1; done
      kill -9 $daemons $(cat munge/pid)
      """)
  }
}
