import Foundation
import Platform
import TestSupport
import Testing

/// The built program, run as a child process in a folder of its own.
struct Program {
  /// `SLUICE_BINARY`, or `sluice` beside the program that runs the tests; nil where neither is there.
  static let path: String? = {
    if let named = ProcessInfo.processInfo.environment["SLUICE_BINARY"] { return named }
    let runner = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let beside = runner.deletingLastPathComponent().appendingPathComponent("sluice").path
    return FileManager.default.isExecutableFile(atPath: beside) ? beside : nil
  }()

  static let isBuilt = path != nil
  static let skipped: Comment = "skipped: no sluice beside the tests; build it, or name it in SLUICE_BINARY"

  struct Outcome {
    var status: Int32
    var output: [UInt8]
    var messages: String

    var text: String { String(decoding: output, as: UTF8.self) }
  }

  let folder: ScratchFolder
  /// nil for this process's own.
  var environment: [String: String]?

  init() throws { folder = try ScratchFolder() }

  func callAsFunction(_ arguments: String...) throws -> Outcome { try run(arguments) }

  func run(_ arguments: [String]) throws -> Outcome { try start(arguments).wait() }

  /// A program that was started and has not been waited for.
  struct Running {
    let process: Process
    fileprivate let logs: ScratchFolder

    func wait() throws -> Outcome {
      process.waitUntilExit()
      return Outcome(
        status: process.terminationStatus, output: try PosixFileSystem().readFile(logs.path + "/output"),
        messages: try messages())
    }

    /// What it has said so far.
    func messages() throws -> String {
      String(decoding: try PosixFileSystem().readFile(logs.path + "/messages"), as: UTF8.self)
    }
  }

  func start(_ arguments: [String]) throws -> Running {
    // Files, not pipes: nobody has to read while the program writes.
    let logs = try ScratchFolder()
    func log(_ name: String) throws -> FileHandle {
      let url = URL(fileURLWithPath: logs.path + "/" + name)
      try Data().write(to: url)
      return try FileHandle(forWritingTo: url)
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.path))
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try log("output")
    process.standardError = try log("messages")
    process.environment = environment ?? ProcessInfo.processInfo.environment
    try process.run()
    return Running(process: process, logs: logs)
  }

  // MARK: the folder

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let path = Path.join(folder.path, name)
    try PosixFileSystem().createFolders(Path.parent(path))
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

  func read(_ name: String) throws -> [UInt8] { try PosixFileSystem().readFile(Path.join(folder.path, name)) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: Path.join(folder.path, name)) }

  /// Names in the folder, hidden ones too: nothing temporary may be left.
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
}
