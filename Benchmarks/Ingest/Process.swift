// Commands come in; what they cost goes out.

import Foundation

/// What one run of a program took.
struct Cost {
  /// User and system seconds.
  var processor: Double
  var wall: Double
  var peakMegabytes: Double
  /// As wait() gives it: 0 for success.
  var status: Int32
}

/// Runs a command to its end, its output thrown away or in a file.
func run(_ command: [String], output: String = "/dev/null") -> Cost {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
  var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
  words.append(nil)
  var surroundings: [UnsafeMutablePointer<CChar>?] = ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") }
  surroundings.append(nil)
  defer { for word in words + surroundings { free(word) } }
  let start = now()
  var process: pid_t = 0
  guard posix_spawnp(&process, command[0], &actions, nil, words, surroundings) == 0 else {
    return Cost(processor: 0, wall: 0, peakMegabytes: 0, status: -1)
  }
  var status: Int32 = 0
  var usage = rusage()
  while wait4(process, &status, 0, &usage) == -1, errno == EINTR {}
  let processor = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }
  return Cost(
    processor: processor[0] + processor[1], wall: now() - start, peakMegabytes: Double(usage.ru_maxrss) * 1024 / 1e6,
    status: status)
}

private func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The program of that name in the folder of this one.
func beside(_ name: String) -> String {
  guard let own = realpath("/proc/self/exe", nil) else { return name }
  defer { free(own) }
  let path = String(cString: own)
  return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/" + name
}

func isInstalled(_ program: String) -> Bool {
  if program.contains("/") { return access(program, X_OK) == 0 }
  let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
  return folders.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
}

func size(of file: String) -> Int {
  var status = stat()
  guard stat(file, &status) == 0 else { fail("\(file): cannot be read") }
  return Int(status.st_size)
}

/// The first bytes of a file, as text.
func head(of file: String, _ count: Int) -> String {
  let descriptor = open(file, O_RDONLY)
  guard descriptor >= 0 else { fail("\(file): cannot be read") }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: count)
  let got = read(descriptor, &bytes, count)
  return String(decoding: bytes.prefix(max(0, got)), as: UTF8.self)
}

/// The folder for generated files.
struct Scratch {
  let root: String
  private let isOwn: Bool

  init(_ given: String?) {
    isOwn = given == nil
    if let given {
      root = given
      mkdir(given, 0o700)
      return
    }
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/ingest-benchmark-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fail("no folder can be made in \(parent)") }
    root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func path(_ name: String) -> String { "\(root)/\(name)" }

  func folder(_ name: String) -> String {
    mkdir(path(name), 0o700)
    return path(name)
  }

  func remove() { if isOwn { _ = run(["rm", "-rf", root]) } }
}
