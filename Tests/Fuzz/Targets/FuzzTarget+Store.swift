import Engine
import FoundationEssentials
import LinearAlgebra
import Platform
import Regression

/// What we wrote ourselves and read back from a disk that may have damaged it.
extension FuzzTarget {
  static let npy = FuzzTarget(
    "npy",
    seeds: [
      Matrix([[1, 2, 3], [4, 5, 6]]).numPyBytes, NumPyArray<Int32>(shape: [4], values: [1, 2, 3, 4]).encoded,
    ],
    tokens: ["'shape': (", "(1000000000000, 1000000000000)", "(-1,)", "'fortran_order': True", "'descr': '<f4'"]
  ) { mutant in
    if let array = try? NumPyArray<Double>(decoding: mutant.bytes), array.shape.reduce(1, *) != array.values.count {
      return "\(array.values.count) values for shape \(array.shape)"
    }
    if let array = try? NumPyArray<Int32>(decoding: mutant.bytes), array.shape.reduce(1, *) != array.values.count {
      return "\(array.values.count) values for shape \(array.shape)"
    }
    if let matrix = try? Matrix(numPyBytes: mutant.bytes), mutant.damage == .cut {
      return "a cut matrix \(matrix.rows) x \(matrix.columns) was accepted"
    }
    return nil
  }

  private static let members: [(name: String, bytes: [UInt8])] = [
    ("a.npy", [1, 2, 3]), ("b.npy", Array(repeating: 7, count: 90)), ("", []),
  ]

  static let npz = FuzzTarget(
    "npz", seeds: [NumPyArchive.encode(members)], tokens: ["PK\u{1}\u{2}", "PK\u{5}\u{6}", "PK\u{3}\u{4}"]
  ) { mutant in
    guard let read = try? NumPyArchive.decode(mutant.bytes) else { return nil }
    if mutant.damage == .cut { return "a cut archive was accepted" }
    if case .byte = mutant.damage, read.map(\.bytes) != members.map(\.bytes) {
      return "damage under a check sum was not seen"
    }
    return read.reduce(0) { $0 + $1.bytes.count } > mutant.bytes.count ? "more bytes than the archive has" : nil
  }

  private static let journalPath = "/state/journal/000001"
  private static let payloads = (1...5).map { Array("{\"payload\": \($0)}\n".utf8) }

  private static let journalBytes: [UInt8] = {
    let files = MemoryFileSystem()
    // In memory nothing can fail.
    let (journal, _) = try! Journal.open(files, state: "/state")
    try! journal.append(payloads[0])
    try! journal.append([payloads[1], payloads[2], payloads[3]])
    try! journal.append(payloads[4])
    return try! files.readFile(journalPath)
  }()

  static let journal = FuzzTarget(
    "journal", seeds: [journalBytes],
    tokens: ["record ", "record 9223372036854775807 1 1 ", "sluice-journal 1 1 1 ", "\n"]
  ) { mutant in
    let files = MemoryFileSystem()
    files.drop(journalPath, mutant.bytes)
    // Whoever reads it, and even after repair, gets records that were written, in their order.
    func isGood(_ records: [JournalRecord]) -> Bool {
      var from = 0
      return records.allSatisfy { record in
        guard let k = payloads[from...].firstIndex(of: record.payload) else { return false }
        from = k + 1
        return true
      }
    }
    do throws(JournalError) {
      let records = try Journal.records(files, state: "/state")
      if records.map(\.payload) != Array(payloads.prefix(records.count)) { return "records that were never written" }
    } catch { if error.description.isEmpty { return "an error without a cause" } }
    do throws(JournalError) {
      _ = try Journal.repair(files, state: "/state")
      if !isGood(try Journal.records(files, state: "/state")) { return "repair made up records" }
      let (journal, before) = try Journal.open(files, state: "/state")
      try journal.append(Array("after\n".utf8))
      if try Journal.records(files, state: "/state").count != before.count + 1 {
        return "cannot be written to after repair"
      }
    } catch { return "repair failed: \(error)" }
    return nil
  }

  private static let object = Array("what a stage made, 0123456789\n".utf8)
  private static let key = Digest(of: "key")

  /// An object, a memo and a note of the store, each overwritten with the mutant.
  static let store = FuzzTarget("store", seeds: [object, object + Array(Digest(of: object).description.utf8)]) {
    mutant in
    do {
      let files = MemoryFileSystem()
      files.dropFolder("/state")
      let store = Store(files, state: "/state")
      let actions = StoreActions(store, files)
      let digest = try store.put(object)
      try actions.keep(object, for: key)
      try actions.setNote("last", object)
      for (path, content) in files.tree("/state") where content != nil {
        try files.removeFile(path)
        files.drop(path, mutant.bytes)
      }
      if let bytes = try store.get(digest), bytes != object { return "a damaged object was given out" }
      // Memos and notes carry their own digest: they may be other content only if that is right.
      for bytes in [try actions.memo(key), try actions.note("last")] {
        guard let bytes else { continue }
        if mutant.bytes != bytes + Array(Digest(of: bytes).description.utf8) { return "a damaged memo was given out" }
      }
      return nil
    } catch { return "\(error)" }
  }

  private static let sources: [(name: String, bytes: [UInt8])] = {
    var builder = SourceFactorsBuilder(layout: ColumnLayout(basis: 2, elements: 1))
    for kind in [RowKind.energy, .force] {
      // Rows of the layout's width with finite numbers are always taken.
      try! builder.append(Matrix([[1, 2, 0, 4]]), key: RowKey(block: 0, group: "a", kind: kind), atoms: 1)
    }
    return builder.finish().encoded()
  }()

  /// The index and the leaves of a source's factors, one of them damaged.
  static let factors = FuzzTarget(
    "factors", seeds: sources.map(\.bytes),
    tokens: ["\"rows\":9223372036854775807", "\"basis\":1000000", "\"elements\":-1", "null", "{", "[", "1e999"]
  ) { mutant in
    do {
      let read = try SourceFactors { name in
        guard let k = sources.firstIndex(where: { $0.name == name }) else { return nil }
        return k == mutant.seed ? mutant.bytes : sources[k].bytes
      }
      // What is accepted can be used.
      _ = read.digest
      return read.encoded().isEmpty ? "no parts" : nil
    } catch { return "\(error)".isEmpty ? "an error without a cause" : nil }
  }
}
