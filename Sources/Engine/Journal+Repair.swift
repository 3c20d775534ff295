import Configurations
import Platform

extension Journal {
  /// What `repair` did.
  public struct RepairReport: Sendable, Equatable {
    /// Whole records that were kept, in order.
    public var kept: [JournalRecord]
    /// Sequence numbers that are missing between them.
    public var lost: [ClosedRange<Int>]
    /// Where the damaged generation was moved; nil when nothing was damaged.
    public var movedTo: String?
  }

  /// Collects every whole record of a damaged journal into a new generation and keeps the damaged
  /// file under another name. An undamaged journal is left as it is. Call it with the lock held.
  public static func repair(_ fileSystem: any FileSystem, state: String) throws(JournalError)
    -> RepairReport
  {
    let place = JournalFolder(fileSystem, Path.join(state, "journal"))
    do throws(JournalError) {
      let records = try place.read({ _ in }).text?.records ?? []
      return RepairReport(kept: records, lost: [], movedTo: nil)
    } catch {
      if case .fileSystem = error { throw error }
    }
    let numbers = try place.list()
    // The base of a generation repeats what the one before it said, so where the newest lost a part
    // of its base (or its head), the one before it is asked as well. Later records win.
    var found: [Int: [UInt8]] = [:]
    for number in numbers.suffix(2) {
      let bytes = try place.load(number)
      let text = JournalText(bytes) ?? JournalText(salvaging: number)
      for (record, _) in text.wholeRecords(bytes, after: 0) {
        found[record.sequence] = record.payload
      }
    }
    let kept = found.keys.sorted().map { JournalRecord(sequence: $0, payload: found[$0]!) }
    var lost: [ClosedRange<Int>] = []
    for (a, b) in zip(kept, kept.dropFirst()) where b.sequence > a.sequence + 1 {
      lost.append(a.sequence + 1...b.sequence - 1)
    }
    let highest = numbers.last!
    _ = try place.begin(
      generation: highest + 1, first: (kept.last?.sequence ?? 0) + 1, kept.map(\.payload))
    let moved = Path.join(place.folder, "damaged-\(highest)-" + uniqueSuffix())
    do throws(FileSystemError) {
      try fileSystem.rename(place.path(highest), to: moved)
      try fileSystem.synchronizeFolder(place.folder)
    } catch { throw .fileSystem(error) }
    return RepairReport(kept: kept, lost: lost, movedTo: moved)
  }
}

extension JournalText {
  /// A stand-in for a header that cannot be read, to look for whole records behind it.
  fileprivate init(salvaging generation: Int) {
    self.init(generation: generation, first: 1, base: 0, length: 0)
  }

  private init(generation: Int, first: Int, base: Int, length: Int) {
    self.generation = generation
    self.first = first
    self.base = base
    self.length = length
  }
}
