import Configurations
import Platform

/// The generations of a journal on the disk.
struct JournalFolder {
  let fileSystem: any FileSystem
  let folder: String

  init(_ fileSystem: any FileSystem, _ folder: String) {
    self.fileSystem = fileSystem
    self.folder = folder
  }

  func path(_ generation: Int) -> String {
    let digits = String(generation)
    return Path.join(folder, String(repeating: "0", count: max(0, 6 - digits.count)) + digits)
  }

  /// Numbers of the generations, ascending.
  func generations() throws(FileSystemError) -> [Int] {
    guard try fileSystem.statusIfPresent(of: folder) != nil else { return [] }
    return try fileSystem.entries(of: folder).compactMap { entry in
      guard entry.name.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
      return Int(entry.name)
    }.sorted()
  }

  struct Found {
    /// Nil when there is no journal.
    var text: JournalText?
    var highest: Int
    /// The newest generation is a husk and `text` is the one before it.
    var isFallback: Bool
  }

  /// The generation that counts, with its damage judged.
  func read(_ report: (Diagnostic) -> Void, from mark: JournalMark? = nil) throws(JournalError) -> Found {
    let numbers = try list()
    guard let highest = numbers.last else {
      return Found(text: nil, highest: 0, isFallback: false)
    }
    let bytes = try load(highest)
    if let text = JournalText(bytes, from: mark), text.generation == highest {
      try judge(text, bytes.count, report)
      return Found(text: text, highest: highest, isFallback: false)
    }
    // Seen in the field: a registry of zero bytes after a power cut, in spite of fsync and rename.
    guard bytes.allSatisfy({ $0 == 0 }), numbers.count > 1 else {
      throw .damaged(path: path(highest), byte: 0, cause: "its first line is unreadable")
    }
    let previous = numbers[numbers.count - 2]
    let older = try load(previous)
    guard let text = JournalText(older), text.generation == previous else {
      throw .damaged(path: path(previous), byte: 0, cause: "its first line is unreadable")
    }
    report(
      Diagnostic(
        .warning, code: "journal-generation-lost", place: .init(file: path(highest)),
        cause: "this generation of the journal is empty; the one before it is used.",
        remedy: "What came after it is ingested again; check the disk."))
    try judge(text, older.count, report)
    return Found(text: text, highest: highest, isFallback: true)
  }

  private func judge(_ text: JournalText, _ size: Int, _ report: (Diagnostic) -> Void)
    throws(JournalError)
  {
    let path = path(text.generation)
    switch text.tail {
    case .clean: break
    case .torn:
      report(
        Diagnostic(
          .note, code: "journal-torn-tail", place: .init(file: path, byte: text.length),
          cause: "the last write was cut off; its \(size - text.length) bytes are not used."))
    case .damaged(let cause): throw .damaged(path: path, byte: text.length, cause: cause)
    }
  }

  func list() throws(JournalError) -> [Int] {
    do throws(FileSystemError) { return try generations() } catch { throw .fileSystem(error) }
  }

  func load(_ generation: Int) throws(JournalError) -> [UInt8] {
    do throws(FileSystemError) { return try fileSystem.readFile(path(generation)) } catch {
      throw .fileSystem(error)
    }
  }

  /// Writes a new generation, whole before it has its name.
  func begin(generation: Int, first: Int, _ payloads: [[UInt8]]) throws(JournalError)
    -> Journal.State
  {
    var bytes = JournalText.header(generation: generation, first: first, base: payloads.count)
    for (offset, payload) in payloads.enumerated() {
      bytes += JournalText.encode(
        generation: generation, sequence: first + offset, batch: first, payload)
    }
    do throws(FileSystemError) { try fileSystem.replaceFile(path(generation), bytes) } catch {
      throw .fileSystem(error)
    }
    return Journal.State(
      generation: generation, nextSequence: first + payloads.count, length: bytes.count, file: nil)
  }

  func removeGenerations(below keep: Int) throws(JournalError) {
    do throws(FileSystemError) {
      for number in try generations() where number < keep {
        try fileSystem.removeFile(path(number))
      }
    } catch { throw .fileSystem(error) }
  }
}
