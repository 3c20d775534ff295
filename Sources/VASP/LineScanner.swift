import Configurations
import Glibc
import Platform

/// Cuts a byte stream into lines without copying them: each line is a window on one buffer, valid
/// until the next is asked for.
final class LineScanner {
  private let source: any ByteSource
  private let file: String
  private var buffer: UnsafeMutablePointer<UInt8>
  private var capacity = 1 << 18
  private var start = 0
  private var end = 0
  private var sourceEnded = false

  /// Lines longer than this hold nothing that a reader wants; their tails are dropped.
  private static let longestLine = 1 << 20

  /// Number of the line last returned, from 1.
  private(set) var line = 0

  init(_ source: any ByteSource, file: String) {
    self.source = source
    self.file = file
    buffer = .allocate(capacity: capacity)
  }

  deinit { buffer.deallocate() }

  /// The next line that was ended by a newline, without it. What stands behind the last newline of a
  /// file may be half a number and is never returned.
  func next() throws(Diagnostic) -> UnsafeBufferPointer<UInt8>? {
    var searched = start
    while true {
      if searched < end, let found = memchr(buffer + searched, 0x0A, end - searched) {
        let stop = found.assumingMemoryBound(to: UInt8.self) - UnsafeMutablePointer(buffer)
        let text = UnsafeBufferPointer(start: UnsafePointer(buffer + start), count: stop - start)
        start = stop + 1
        line += 1
        return text
      }
      if sourceEnded { return nil }
      searched = end - start
      try fill()
    }
  }

  /// Moves the open line to the front and reads behind it.
  private func fill() throws(Diagnostic) {
    if start > 0 {
      memmove(buffer, buffer + start, end - start)
      end -= start
      start = 0
    }
    if end == capacity {
      if capacity >= Self.longestLine {
        end = capacity / 2
      } else {
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity * 2)
        memcpy(larger, buffer, end)
        buffer.deallocate()
        buffer = larger
        capacity *= 2
      }
    }
    do {
      let room = UnsafeMutableRawBufferPointer(start: buffer + end, count: capacity - end)
      let count = try source.read(into: room)
      if count == 0 { sourceEnded = true }
      end += count
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw Diagnostic(
        .error, code: "unreadable", place: .init(file: file, line: line),
        cause: "reading failed: \(error).", remedy: "Check the file and its storage.")
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether `word` stands at `at`.
  @inline(__always)
  func has(_ word: StaticString, at: Int) -> Bool {
    let count = word.utf8CodeUnitCount
    return at >= 0 && at + count <= self.count
      && memcmp(baseAddress! + at, word.utf8Start, count) == 0
  }

  /// Index behind the first `word`, searching from `from`.
  func behind(_ word: StaticString, from: Int = 0) -> Int? {
    let length = word.utf8CodeUnitCount
    var at = from
    while at + length <= count {
      guard let found = memchr(baseAddress! + at, Int32(word.utf8Start[0]), count - at - length + 1)
      else { return nil }
      at = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - baseAddress!
      if memcmp(baseAddress! + at, word.utf8Start, length) == 0 { return at + length }
      at += 1
    }
    return nil
  }

  /// The text from `from` on, without blanks at its ends.
  func trimmedText(from: Int) -> String {
    var low = from
    var high = count
    while low < high, self[low] <= 0x20 { low += 1 }
    while high > low, self[high - 1] <= 0x20 { high -= 1 }
    return String(decoding: self[low..<high], as: UTF8.self)
  }
}
