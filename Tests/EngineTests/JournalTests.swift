import Configurations
import Engine
import Glibc
import Platform
import TestSupport
import Testing

@Suite struct JournalTests {
  static let first = "/state/journal/000001"

  static func payload(_ number: Int) -> [UInt8] { Array("payload \(number)\n".utf8) }

  /// A journal of three appends: one record, a batch of two, one record.
  static func filled(_ files: any FileSystem) throws -> Journal {
    let (journal, records) = try Journal.open(files, state: "/state")
    #expect(records.isEmpty)
    try journal.append(payload(1))
    try journal.append([payload(2), payload(3)])
    try journal.append(payload(4))
    return journal
  }

  static func texts(_ records: [JournalRecord]) -> [String] {
    records.map { String(decoding: $0.payload, as: UTF8.self) }
  }

  static let all = (1...4).map { "payload \($0)\n" }

  @Test func readsBackInOrder() throws {
    let files = MemoryFileSystem()
    _ = try Self.filled(files)
    let (journal, records) = try Journal.open(files, state: "/state")
    #expect(Self.texts(records) == Self.all)
    #expect(records.map(\.sequence) == [1, 2, 3, 4])
    #expect(try journal.append([]) == [])
    #expect(try journal.append(Self.payload(5)).sequence == 5)
    #expect(try Self.texts(Journal.records(files, state: "/state")) == Self.all + ["payload 5\n"])
    #expect(try Journal.records(files, state: "/elsewhere").isEmpty)
  }

  @Test func payloadsMayHoldAnything() throws {
    let files = MemoryFileSystem()
    let (journal, _) = try Journal.open(files, state: "/state")
    let payloads: [[UInt8]] = [
      [], Array(0...255), Array("record 1 1 3 abc\nxyz\n".utf8), [10, 10, 10],
      [UInt8](repeating: 0, count: 5000),
      try files.readFile(Self.first),
    ]
    try journal.append(payloads)
    try journal.append(payloads)
    #expect(try Journal.records(files, state: "/state").map(\.payload) == payloads + payloads)
  }

  @Test func whatWasAppendedSurvivesAPowerCut() throws {
    let files = MemoryFileSystem()
    _ = try Self.filled(files)
    for loss: PowerLoss in [.onlySynchronized, .namesWithoutContents, .random(seed: 1)] {
      let after = files.afterPowerLoss(loss)
      #expect(try Self.texts(Journal.records(after, state: "/state")) == Self.all)
    }
  }

  @Test func everyTruncationGivesAPrefix() throws {
    let files = MemoryFileSystem()
    _ = try Self.filled(files)
    let whole = try files.readFile(Self.first)
    for count in 0..<whole.count {
      let cut = MemoryFileSystem()
      cut.drop(Self.first, Array(whole[..<count]))
      let messages = Messages()
      do throws(JournalError) {
        let (journal, records) = try Journal.open(cut, state: "/state", report: messages.report)
        #expect(Self.texts(records) == Array(Self.all.prefix(records.count)), "cut at \(count)")
        #expect(messages.codes.isEmpty || messages.codes == ["journal-torn-tail"])
        // The tail is gone for good, and the journal goes on.
        let next = try journal.append(Self.payload(9))
        #expect(next.sequence == records.count + 1)
        let (_, again) = try Journal.open(cut, state: "/state")
        #expect(again == records + [next])
      } catch {
        guard case .damaged = error else {
          Issue.record("cut at \(count): \(error)")
          continue
        }
        // Only a file whose first line is not whole: it never gets its name in that state.
        #expect(!whole[..<count].contains(UInt8(ascii: "\n")), "cut at \(count)")
      }
    }
  }

  @Test func everyFlippedBitIsDetectedAndNeverUsed() throws {
    let files = MemoryFileSystem()
    _ = try Self.filled(files)
    let whole = try files.readFile(Self.first)
    var stopped = 0
    for bit in 0..<whole.count * 8 {
      var flipped = whole
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      let damaged = MemoryFileSystem()
      damaged.drop(Self.first, flipped)
      do throws(JournalError) {
        let records = try Journal.records(damaged, state: "/state")
        // Only the last append may be taken for one that did not finish.
        #expect(Self.texts(records) == Array(Self.all.prefix(3)), "bit \(bit)")
      } catch {
        guard case .damaged(_, _, _) = error else {
          Issue.record("bit \(bit): \(error)")
          continue
        }
        #expect(error.description.contains("sluice repair"))
        stopped += 1
        // Opening for writing refuses as well and changes nothing.
        #expect(throws: JournalError.self) { try Journal.open(damaged, state: "/state") }
        #expect(try damaged.readFile(Self.first) == flipped)
        let repaired = try Journal.repair(damaged, state: "/state")
        let kept = Self.texts(repaired.kept)
        #expect(kept.count >= 3 && kept == Self.all.filter(kept.contains), "bit \(bit)")
        #expect(repaired.movedTo != nil)
        let (journal, records) = try Journal.open(damaged, state: "/state")
        #expect(Self.texts(records) == kept)
        try journal.append(Self.payload(5))
      }
    }
    #expect(stopped > whole.count * 4)
  }

  @Test func aTornBatchIsDroppedEvenWhenItsSecondRecordReachedTheDisk() throws {
    let files = MemoryFileSystem()
    let (journal, _) = try Journal.open(files, state: "/state")
    try journal.append(Self.payload(1))
    let before = try files.readFile(Self.first).count
    try journal.append([Self.payload(2), Self.payload(3)])
    var bytes = try files.readFile(Self.first)
    bytes[before + 3] = 0
    files.drop(Self.first, bytes)
    let messages = Messages()
    let (_, records) = try Journal.open(files, state: "/state", report: messages.report)
    #expect(Self.texts(records) == ["payload 1\n"])
    #expect(messages.codes == ["journal-torn-tail"])
  }

  @Test func compactionKeepsThePreviousGeneration() throws {
    let files = MemoryFileSystem()
    let journal = try Self.filled(files)
    for round in 1...3 {
      try journal.compact([Self.payload(100 + round)])
      try journal.append(Self.payload(200 + round))
    }
    #expect(
      try files.entries(of: "/state/journal").map(\.name) == ["000003", "000004"])
    let (_, records) = try Journal.open(files, state: "/state")
    #expect(Self.texts(records) == ["payload 103\n", "payload 203\n"])
    #expect(records.map(\.sequence) == [9, 10])
    let after = files.afterPowerLoss(.onlySynchronized)
    #expect(try Journal.records(after, state: "/state") == records)
  }

  @Test func anEmptyNewestGenerationFallsBackAloud() throws {
    for husk in [[UInt8](), [UInt8](repeating: 0, count: 4096)] {
      let files = MemoryFileSystem()
      let journal = try Self.filled(files)
      try journal.compact([Self.payload(100)])
      files.drop("/state/journal/000002", husk)
      let messages = Messages()
      let (reopened, records) = try Journal.open(files, state: "/state", report: messages.report)
      #expect(Self.texts(records) == Self.all)
      #expect(messages.codes == ["journal-generation-lost"])
      try reopened.append(Self.payload(5))
      let again = try Journal.records(files, state: "/state")
      #expect(Self.texts(again) == Self.all + ["payload 5\n"])
    }
  }

  @Test func repairOfALostBaseAsksThePreviousGeneration() throws {
    let files = MemoryFileSystem()
    let journal = try Self.filled(files)
    try journal.compact([Self.payload(101), Self.payload(102)])
    try journal.append(Self.payload(103))
    var bytes = try files.readFile("/state/journal/000002")
    bytes[2] ^= 1
    files.drop("/state/journal/000002", bytes)
    let repaired = try Journal.repair(files, state: "/state")
    #expect(Self.texts(repaired.kept) == Self.all + (101...103).map { "payload \($0)\n" })
    #expect(repaired.lost.isEmpty)
    #expect(try Self.texts(Journal.records(files, state: "/state")) == Self.texts(repaired.kept))
  }

  @Test func repairLeavesASoundJournalAlone() throws {
    let files = MemoryFileSystem()
    _ = try Self.filled(files)
    let before = files.tree().map(\.content)
    let report = try Journal.repair(files, state: "/state")
    #expect(Self.texts(report.kept) == Self.all && report.movedTo == nil)
    #expect(files.tree().map(\.content) == before)
  }

  /// Appends, a compaction and more appends, each retried until it works, as a daemon would.
  private func work(_ files: any FileSystem, retries: Int) throws {
    var journal: Journal?
    func attempt(_ body: (Journal) throws -> Void) throws {
      var left = retries
      while true {
        do {
          if journal == nil { journal = try Journal.open(files, state: "/state").journal }
          return try body(journal!)
        } catch {
          left -= 1
          if left < 0 { throw error }
        }
      }
    }
    for number in 1...3 { try attempt { try $0.append(Self.payload(number)) } }
    try attempt { journal in
      let live = try Journal.records(files, state: "/state").map(\.payload)
      try journal.compact(live)
    }
    for number in 4...5 { try attempt { try $0.append(Self.payload(number)) } }
  }

  @Test func oneFailureAnywhereLosesNothing() throws {
    let counting = FaultyFileSystem(MemoryFileSystem(), call: 0, .crash)
    try work(counting, retries: 0)
    let expected = (1...5).map { "payload \($0)\n" }
    for call in 1...counting.calls {
      for number in [EIO, ENOSPC, EACCES] {
        let memory = MemoryFileSystem()
        let faulty = FaultyFileSystem(memory, call: call, .error(number))
        try work(faulty, retries: 1)
        #expect(
          try Self.texts(Journal.records(memory, state: "/state")) == expected,
          "call \(call), error \(number)")
      }
    }
  }

  @Test func aCrashAnywhereKeepsWhatWasReturnedFrom() throws {
    let counting = FaultyFileSystem(MemoryFileSystem(), call: 0, .crash)
    try work(counting, retries: 0)
    let expected = (1...5).map { "payload \($0)\n" }
    var seen: Set<Int> = []
    for call in 1...counting.calls {
      let memory = MemoryFileSystem()
      let faulty = FaultyFileSystem(memory, call: call, .crash)
      var returned = 0
      if let journal = try? Journal.open(faulty, state: "/state").journal {
        for number in 1...3 {
          guard (try? journal.append(Self.payload(number))) != nil else { break }
          returned = number
        }
        if returned == 3, let live = try? Journal.records(faulty, state: "/state"),
          (try? journal.compact(live.map(\.payload))) != nil
        {
          for number in 4...5 {
            guard (try? journal.append(Self.payload(number))) != nil else { break }
            returned = number
          }
        }
      }
      seen.insert(returned)
      var losses: [PowerLoss] = [.everything, .onlySynchronized, .namesWithoutContents]
      losses += (0..<12).map { .random(seed: UInt64($0)) }
      for loss in losses {
        let after = memory.afterPowerLoss(loss)
        let (journal, records) = try Journal.open(after, state: "/state")
        let found = Self.texts(records)
        #expect(
          found.count >= returned && found == Array(expected.prefix(found.count)),
          "call \(call), \(loss): \(found)")
        try journal.append(Self.payload(9))
        #expect(try Journal.records(after, state: "/state").count == found.count + 1)
      }
    }
    #expect(seen == [0, 1, 2, 3, 4], "the last call belongs to the last append")
  }

  @Test func worksOnARealDisk() throws {
    let scratch = try ScratchFolder()
    let (journal, _) = try Journal.open(PosixFileSystem(), state: scratch.path)
    for number in 1...20 { try journal.append(Self.payload(number)) }
    try journal.compact([Self.payload(0)])
    try journal.append(Self.payload(21))
    let found = try Journal.open(PosixFileSystem(), state: scratch.path).records
    #expect(Self.texts(found) == ["payload 0\n", "payload 21\n"])
  }
}
