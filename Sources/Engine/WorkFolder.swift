// Orders, their shares, and what came of them: files in the state folder that are written once.

import Configurations
import Foundation
import Platform
import StageKit

/// `<state>/work/<order>/`: `order.json`, `shares/1.json` …, `results/1.json` …, `failures/`, `logs/`,
/// `job.sh`, `job` (what the scheduler called it), `closed`.
///
/// One run, which holds the lock, writes orders and removes them. Any number of processes on any
/// machine do shares and write results; a result appears whole, and the first one stays.
struct WorkFolder: Sendable {
  let fileSystem: any FileSystem
  /// The state folder.
  let state: String

  init(_ fileSystem: any FileSystem, state: String) {
    self.fileSystem = fileSystem
    self.state = state
  }

  var folder: String { Path.join(state, "work") }

  func path(_ order: String) -> String { Path.join(folder, order) }

  private func file(_ order: String, _ parts: String...) -> String { parts.reduce(path(order), Path.join) }

  // MARK: Orders

  /// Writes an order with its shares; its name. The order's own file comes last: without it the
  /// folder counts as absent.
  func write(_ order: WorkOrder, _ shares: [WorkShare], script: (_ folder: String) -> String) throws -> String {
    let name = order.stage + "-" + uniqueSuffix()
    for part in ["shares", "results", "failures", "logs"] { try fileSystem.createFolders(file(name, part)) }
    for (index, share) in shares.enumerated() {
      try fileSystem.createFile(file(name, "shares", "\(index + 1).json"), Sealed.encode(share))
    }
    try fileSystem.synchronizeFolder(file(name, "shares"))
    try fileSystem.createFile(file(name, "job.sh"), Array(script(path(name)).utf8))
    try fileSystem.createFile(file(name, "order.json"), Sealed.encode(order))
    try fileSystem.synchronizeFolder(path(name))
    return name
  }

  /// nil where the order is gone: nobody needs it any more.
  func order(_ name: String) throws -> WorkOrder? {
    try fileSystem.readFileIfPresent(file(name, "order.json")).map { try Sealed.decode(WorkOrder.self, $0, name) }
  }

  func share(_ name: String, _ number: Int) throws -> WorkShare? {
    try fileSystem.readFileIfPresent(file(name, "shares", "\(number).json")).map {
      try Sealed.decode(WorkShare.self, $0, "\(name), share \(number)")
    }
  }

  /// Names of all orders, closed ones too, in the order of their names.
  func orders() throws -> [String] {
    guard try fileSystem.statusIfPresent(of: folder) != nil else { return [] }
    return try fileSystem.entries(of: folder).filter { $0.status.kind == .folder }.map(\.name)
  }

  /// What the scheduler called it when it was submitted; nil where nobody knows.
  func job(_ name: String) throws -> String? {
    try fileSystem.readFileIfPresent(file(name, "job")).map { String(decoding: $0, as: UTF8.self) }
  }

  func setJob(_ name: String, _ id: String) throws { try fileSystem.replaceFile(file(name, "job"), Array(id.utf8)) }

  /// Nothing more is expected of it.
  func close(_ name: String) throws {
    guard try fileSystem.statusIfPresent(of: path(name)) != nil else { return }
    try fileSystem.replaceFile(file(name, "closed"), [])
  }

  func isClosed(_ name: String) throws -> Bool { try fileSystem.statusIfPresent(of: file(name, "closed")) != nil }

  /// A process that still works on it finds it gone and ends.
  func remove(_ name: String) throws {
    // Without its own file it is no order any more, however far the removal gets.
    let own = file(name, "order.json")
    if try fileSystem.statusIfPresent(of: own) != nil { try fileSystem.removeFile(own) }
    try fileSystem.removeTree(path(name))
  }

  func removeAll() throws { for name in try orders() { try remove(name) } }

  // MARK: Results

  /// Numbers of the shares that have a result.
  func finishedShares(_ name: String) throws -> Set<Int> {
    guard try fileSystem.statusIfPresent(of: file(name, "results")) != nil else { return [] }
    return Set(
      try fileSystem.entries(of: file(name, "results")).compactMap { entry in
        entry.name.hasSuffix(".json") ? Int(entry.name.dropLast(5)) : nil
      })
  }

  func result(_ name: String, _ number: Int) throws -> WorkResult? {
    try fileSystem.readFileIfPresent(file(name, "results", "\(number).json")).flatMap {
      try? Sealed.decode(WorkResult.self, $0, name)
    }
  }

  /// Appears whole; where there is one, it stays. False where the order is gone.
  func write(_ result: WorkResult, _ name: String, _ number: Int) throws -> Bool {
    let path = file(name, "results", "\(number).json")
    let temporary = fileSystem.temporaryName(beside: path)
    do throws(FileSystemError) {
      try fileSystem.createFile(temporary, try encoded(result))
      defer { fileSystem.removeFileIfPossible(temporary) }
      do throws(FileSystemError) { try fileSystem.createLink(path, to: temporary) } catch {
        switch error.code {
        case .alreadyExists: break
        // No hard links here. Rename replaces, but by what says the same.
        case .notSupported, .permissionDenied: try fileSystem.rename(temporary, to: path)
        default: throw error
        }
      }
      try fileSystem.synchronizeFolder(file(name, "results"))
      return true
    } catch {
      if error.code == .notFound, try fileSystem.statusIfPresent(of: file(name, "order.json")) == nil { return false }
      throw error
    }
  }

  private func encoded(_ result: WorkResult) throws(FileSystemError) -> [UInt8] { Sealed.encode(result) }

  /// A share that went wrong may go wrong again: each time is kept.
  func write(_ failure: WorkFailure, _ name: String, _ number: Int) throws {
    guard try fileSystem.statusIfPresent(of: file(name, "failures")) != nil else { return }
    try fileSystem.replaceFile(file(name, "failures", "\(number)-\(uniqueSuffix()).json"), Sealed.encode(failure))
  }

  /// Why shares went wrong, by share.
  func failures(_ name: String) throws -> [Int: WorkFailure] {
    guard try fileSystem.statusIfPresent(of: file(name, "failures")) != nil else { return [:] }
    var found: [Int: WorkFailure] = [:]
    for entry in try fileSystem.entries(of: file(name, "failures")) where entry.name.hasSuffix(".json") {
      guard let number = entry.name.split(separator: "-").first.flatMap({ Int($0) }),
        let bytes = try fileSystem.readFileIfPresent(file(name, "failures", entry.name)),
        let failure = try? Sealed.decode(WorkFailure.self, bytes, name)
      else { continue }
      // What will go wrong every time says more than a passing trouble.
      if found[number] == nil || found[number]?.kind == .environment { found[number] = failure }
    }
    return found
  }

  func logPath(_ name: String, _ number: Int) -> String { file(name, "logs", "\(number).log") }

  /// The last lines of a share's log.
  func lastLines(_ name: String, _ number: Int, count: Int = 5) -> [String] {
    guard let bytes = try? fileSystem.readFileIfPresent(logPath(name, number)) else { return [] }
    let text = String(decoding: bytes.suffix(8192), as: UTF8.self)
    return text.split(whereSeparator: \.isNewline).suffix(count).map(String.init)
  }
}

/// JSON with its own digest on a last line: what a power cut or a full disk tore does not match.
enum Sealed {
  static func encode(_ value: some Encodable) -> [UInt8] {
    // Numbers, strings and digests of our own making: this cannot fail.
    let bytes = try! CanonicalJSON.encode(value)
    return bytes + Array("\(Digest(of: bytes))\n".utf8)
  }

  static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ name: String) throws -> Value {
    let length = bytes.count - 65
    guard length > 0, bytes[length...].elementsEqual("\(Digest(of: Array(bytes[..<length])))\n".utf8),
      let value = try? CanonicalJSON.decode(type, Array(bytes[..<length]))
    else {
      throw RunError(
        .environment, cause: "the description of \(name) is damaged or of another version",
        remedy: "Run again, with the same version of sluice everywhere.")
    }
    return value
  }
}
