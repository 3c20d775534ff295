import Foundation
import Platform
import TestSupport
import Testing

/// BEHAVIOUR's list of what an inbox may hold on purpose, against the program itself.
@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct HostileInputTests {
  private static let sheet = RunText(steps: [RunText.Step(energy: -7)]).outcar()

  /// A real run beside everything that is no file, each by the name of one.
  private func hostileFolder(_ program: Program, _ inbox: String) throws {
    try program.write("\(inbox)/good/OUTCAR", Self.sheet)
    try program.write("secret/vasprun.xml", RunText(steps: [RunText.Step(energy: -99)]).vasprun)
    let folder = Path.join(program.folder.path, inbox)
    for name in ["pipe", "link", "device", "folder", "empty", "dangling"] {
      try PosixFileSystem().createFolders("\(folder)/\(name)")
    }
    #expect(mkfifo("\(folder)/pipe/vasprun.xml", 0o600) == 0)
    #expect(mkfifo("\(folder)/OUTCAR", 0o600) == 0)
    #expect(symlink("\(program.folder.path)/secret/vasprun.xml", "\(folder)/link/vasprun.xml") == 0)
    #expect(symlink("/dev/zero", "\(folder)/device/vasprun.xml") == 0)
    #expect(symlink("vasprun.xml", "\(folder)/dangling/vasprun.xml") == 0)
    try PosixFileSystem().createFolders("\(folder)/folder/vasprun.xml")
    try program.write("\(inbox)/empty/vasprun.xml", "")
    try program.write("\(inbox)/empty.xyz", "")
    try makeSocket(folder, "socket")
  }

  /// A socket's whole path may have 107 bytes: it is made under a short name and moved.
  private func makeSocket(_ folder: String, _ name: String) throws {
    let handle = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(handle) }
    let short = "/tmp/sluice-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(short.utf8)) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(handle, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    try PosixFileSystem().createFolders("\(folder)/\(name)")
    try FileManager.default.moveItem(atPath: short, toPath: "\(folder)/\(name)/vasprun.xml")
  }

  @Test(.timeLimit(.minutes(2))) func convertReadsOnlyWhatIsAFile() throws {
    let program = try Program()
    try hostileFolder(program, "in")
    let outcome = try program("convert", "in", "-o", "out.extxyz")
    let frames = try Samples.frames(program.read("out.extxyz"))
    #expect(frames.map(\.labels.energy) == [-7])
    for (name, reason) in [
      ("pipe/vasprun.xml", "pipe, socket or device"), ("OUTCAR", "pipe, socket or device"),
      ("socket/vasprun.xml", "pipe, socket or device"), ("link/vasprun.xml", "symbolic link"),
      ("device/vasprun.xml", "symbolic link"), ("dangling/vasprun.xml", "symbolic link"),
    ] {
      let line = outcome.messages.split(separator: "\n").first {
        $0.hasPrefix("passed over") && $0.contains("in/\(name)")
      }
      #expect(line?.contains(reason) == true, "\(name): \(outcome.messages)")
    }
    // What is named is looked at, and refused where it is no file, without waiting for a writer.
    for name in ["in/pipe/vasprun.xml", "in/device/vasprun.xml", "in/socket/vasprun.xml", "in/dangling/vasprun.xml"] {
      let refused = try program("convert", name, "-o", "other")
      #expect(refused.status == 1 && refused.messages.contains(name), "\(name): \(refused.messages)")
    }
    #expect(!program.exists("other"))
  }

  @Test(.timeLimit(.minutes(2))) func runsReadOnlyWhatIsAFile() throws {
    let program = try Program()
    try hostileFolder(program, "in")
    try program.write(
      "p.json5",
      "{ sluice: 1, project: 'p', elements: ['W', 'O'], inbox: 'in', outbox: 'out', settle: 1, stages: [{ use: 'ingest' }] }"
    )
    let before = try tree(program.folder.path, without: ["out"])
    let outcome = try program("run", "p.json5")
    #expect([0, 3].contains(outcome.status), "\(outcome.messages)")
    let said = outcome.messages + outcome.text
    for name in ["pipe/vasprun.xml", "socket/vasprun.xml", "link/vasprun.xml", "device/vasprun.xml"] {
      #expect(said.contains(name), "\(name): \(said)")
    }
    // The inbox is as it was, and nothing was written beside the outbox.
    #expect(try tree(program.folder.path, without: ["out"]) == before)
    let watching = try program.start(["watch", "p.json5"])
    usleep(1_500_000)
    kill(watching.process.processIdentifier, SIGTERM)
    let ended = try watching.wait()
    #expect(ended.status == 0, "\(ended.messages)")
  }

  /// Paths below `root` and what tells their contents, but for those beginning with a name left out.
  private func tree(_ root: String, without left: [String]) throws -> [String: String] {
    var all: [String: String] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: root) {
      if left.contains(where: { name == $0 || name.hasPrefix($0 + "/") }) { continue }
      let attributes = try FileManager.default.attributesOfItem(atPath: root + "/" + name)
      all[name] = "\(attributes[.type]!) \(attributes[.size]!) \(attributes[.modificationDate]!)"
    }
    return all
  }

  /// Entities of every kind: refused, none opened, nothing fetched. The system calls are the witness.
  @Test func entitiesAreNeitherOpenedNorFetched() throws {
    let program = try Program()
    let canary = Path.join(program.folder.path, "canary.txt")
    try program.write("canary.txt", "CANARY-4711")
    let tree = RunText().vasprun
    let attacks = [
      "<!DOCTYPE m [<!ENTITY x SYSTEM \"file://\(canary)\">]>", "<!DOCTYPE m SYSTEM \"file://\(canary)\">",
      "<!DOCTYPE m SYSTEM \"http://127.0.0.1:9/a.dtd\">", "<!DOCTYPE m PUBLIC \"a\" \"http://127.0.0.1:9/a.dtd\">",
      "<!DOCTYPE m [<!ENTITY % x SYSTEM \"http://127.0.0.1:9/a\"> %x;]>",
      "<?xml-stylesheet href=\"http://127.0.0.1:9/a.xsl\"?>",
      "<!DOCTYPE m [<!ENTITY a0 \"ha\">"
        + (1...30).map { "<!ENTITY a\($0) \"&a\($0 - 1);&a\($0 - 1);\">" }.joined() + "<!ENTITY x \"&a30;\">]>",
    ]
    for (k, attack) in attacks.enumerated() {
      let text = tree.replacing("<modeling>", with: attack + "<modeling xmlns:xi=\"http://www.w3.org/2001/XInclude\">")
        .replacing(" Fast", with: " &x; <xi:include href=\"file://\(canary)\" parse=\"text\"/>")
      try program.write("in/\(k)/vasprun.xml", k == 5 ? text.replacing("&x;", with: "") : text)
    }
    let strace = "/usr/bin/strace"
    var arguments = ["convert", "in", "-o", "out.json", "--format", "json"]
    var traced = false
    if FileManager.default.isExecutableFile(atPath: strace), let path = Program.path {
      // Where tracing is not allowed, the program is run without it.
      let watched = Process()
      watched.executableURL = URL(fileURLWithPath: strace)
      watched.arguments = ["-f", "-qq", "-o", "trace", "-e", "trace=%network,open,openat,openat2", path] + arguments
      watched.currentDirectoryURL = URL(fileURLWithPath: program.folder.path)
      watched.standardError = FileHandle.nullDevice
      watched.standardOutput = FileHandle.nullDevice
      try watched.run()
      watched.waitUntilExit()
      if program.exists("trace"), case let log = String(decoding: try program.read("trace"), as: UTF8.self),
        log.contains("vasprun.xml")
      {
        traced = true
        #expect(!log.contains("canary"))
        for call in ["socket(", "connect(", "sendto(", "bind("] { #expect(!log.contains(call), "\(call)") }
      }
    }
    if !traced { print("skipped: no strace here; the answer alone is looked at") }
    arguments[3] = "again.json"
    let outcome = try program.run(arguments)
    #expect(outcome.status == 3)
    for k in attacks.indices where k != 5 {
      #expect(outcome.messages.contains("in/\(k)/vasprun.xml"), "\(k)")
    }
    #expect(outcome.messages.contains("document type declaration"))
    let answer = String(decoding: try program.read("again.json"), as: UTF8.self) + outcome.messages
    #expect(!answer.contains("CANARY-4711") && !answer.contains("hahaha"))
  }

  /// Holes cost what zeros cost: they are passed by in bounded memory.
  @Test func aSparseFileIsRefusedInLittleMemory() throws {
    let program = try Program()
    try program.folder.shell(
      "truncate -s 400M OUTCAR; printf ' vasp.6.3.2\\n' > vasprun.xml; truncate -s 400M vasprun.xml")
    for name in ["OUTCAR", "vasprun.xml"] {
      // Address space, so that the whole file would not fit.
      let limited = Process()
      limited.executableURL = URL(fileURLWithPath: "/bin/sh")
      limited.arguments = [
        "-c", "ulimit -v 600000; exec \"$0\" \"$@\"", try #require(Program.path), "convert", name, "-o", "o",
        "--threads", "1",
      ]
      limited.currentDirectoryURL = URL(fileURLWithPath: program.folder.path)
      limited.standardError = FileHandle.nullDevice
      limited.standardOutput = FileHandle.nullDevice
      try limited.run()
      limited.waitUntilExit()
      // No format at all is an error, an OUTCAR without a step is none.
      #expect(limited.terminationReason == .exit)
      #expect(limited.terminationStatus == (name == "OUTCAR" ? 1 : 0), "\(name)")
    }
  }

  @Test func archivesWriteNothingBesideTheOutput() throws {
    let program = try Program()
    let sheet = Array(Self.sheet.utf8)
    let names = ["../OUTCAR", "/tmp/sluice-hostile/OUTCAR", "a/../../OUTCAR", "a\\..\\OUTCAR", "a\nb", "C:/OUTCAR"]
    for (k, name) in names.enumerated() {
      try program.write("in/\(k).tar", ArchiveBytes.tar([.init(name, sheet)]))
      try program.write("in/\(k).zip", ArchiveBytes.zip([.init(name, sheet)]))
    }
    try program.write(
      "in/good.tar", ArchiveBytes.tar([.init("OUTCAR", sheet), .init("x", type: "2", link: "/etc/passwd")]))
    let before = try tree(program.folder.path, without: ["out.extxyz"])
    let outcome = try program("convert", "in", "-o", "out.extxyz")
    #expect(outcome.status == 3)
    #expect(try Samples.frames(program.read("out.extxyz")).map(\.labels.energy) == [-7])
    #expect(try tree(program.folder.path, without: ["out.extxyz"]) == before)
    #expect(!FileManager.default.fileExists(atPath: "/tmp/sluice-hostile"))
  }
}
