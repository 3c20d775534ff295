// A stream of bytes comes in, lines with their numbers go out. Memory is one buffer that grows only
// with the longest line really read.

import Glibc
import Platform

/// Reads lines from a byte source. Lines end with LF or CR LF; the last one needs no ending.
package struct LineReader {
  private let source: any ByteSource
  package let name: String
  private var buffer: [UInt8]
  private var start = 0
  private var filled = 0
  private var atEnd = false
  private var line = 0..<0
  private var heldBack = false
  /// Number of the current line, from 1.
  package private(set) var number = 0

  private let longestLine: Int

  /// A line longer than `longestLine` bytes is an error: such a file is no text.
  package init(_ source: any ByteSource, name: String, longestLine: Int = 64 << 20) {
    self.source = source
    self.name = name
    self.longestLine = longestLine
    buffer = [UInt8](repeating: 0, count: 1 << 18)
  }

  /// Moves to the next line; false at the end.
  package mutating func advance() throws(Diagnostic) -> Bool {
    if heldBack {
      heldBack = false
      return true
    }
    var searched = start
    while true {
      let (from, to) = (searched, filled)
      let newline = buffer.withUnsafeBufferPointer { bytes -> Int? in
        guard to > from, let base = bytes.baseAddress,
          let hit = memchr(base + from, 0x0A, to - from)
        else { return nil }
        return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
      }
      if let newline {
        take(upTo: newline, next: newline + 1)
        return true
      }
      if atEnd {
        guard start < filled else { return false }
        take(upTo: filled, next: filled)
        return true
      }
      let kept = filled - start
      try refill()
      searched = start + kept
    }
  }

  private mutating func take(upTo end: Int, next: Int) {
    line = start..<(end > start && buffer[end - 1] == 0x0D ? end - 1 : end)
    start = next
    number += 1
  }

  /// Makes the next `advance()` give the current line again.
  package mutating func holdBack() { heldBack = true }

  private mutating func refill() throws(Diagnostic) {
    if start > 0 {
      let (from, count) = (start, filled - start)
      buffer.withUnsafeMutableBytes { bytes in
        if count > 0 { memmove(bytes.baseAddress!, bytes.baseAddress! + from, count) }
      }
      start = 0
      filled = count
    }
    if filled == buffer.count {
      guard filled < longestLine else {
        throw error(
          "line-too-long", "the line is longer than \(longestLine) bytes.",
          "Check that this is a text file.", line: number + 1)
      }
      buffer.append(contentsOf: repeatElement(0, count: buffer.count))
    }
    let from = filled
    do {
      let count = try buffer.withUnsafeMutableBytes {
        try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[from...]))
      }
      filled += count
      atEnd = count == 0
    } catch let diagnostic as Diagnostic {
      throw diagnostic
    } catch {
      throw self.error("unreadable", "the file could not be read: \(error).", "", line: number + 1)
    }
  }

  /// The bytes of the current line, without its ending; valid inside the call only.
  @inline(__always)
  package func withLine<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try buffer.withUnsafeBufferPointer { (bytes) throws(Failure) -> Result in
      try body(UnsafeBufferPointer(rebasing: bytes[line]))
    }
  }

  /// The current line as text; bytes that are not UTF-8 are replaced.
  package var text: String { String(decoding: buffer[line], as: UTF8.self) }

  /// The current line's fields, separated by blanks or tabs.
  package var fields: [Substring] {
    text.split { $0 == " " || $0 == "\t" }
  }

  package var isBlank: Bool { buffer[line].allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

  /// A diagnostic of severity error at the current line (or at `line`).
  package func error(
    _ code: String, _ cause: String, _ remedy: String, line: Int? = nil, frame: Int? = nil
  ) -> Diagnostic {
    Diagnostic(
      .error, code: code, place: .init(file: name, line: line ?? number, ionicStep: frame),
      cause: cause,
      remedy: remedy.isEmpty
        ? "Correct the file here, or write it again with the program that made it." : remedy)
  }
}

/// Walks over the blank-separated fields of one line.
package struct FieldCursor {
  private let base: UnsafePointer<UInt8>
  private let end: Int
  package var position = 0

  /// `bytes` must outlive the cursor; nil for an empty line.
  @inline(__always)
  package init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let base = bytes.baseAddress else { return nil }
    self.base = base
    end = bytes.count
  }

  @inline(__always)
  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D
  }

  /// Moves to the next field; false at the end of the line.
  @inline(__always)
  package mutating func skipBlanks() -> Bool {
    while position < end, Self.isBlank(base[position]) { position += 1 }
    return position < end
  }

  @inline(__always)
  package mutating func real() -> Double? {
    guard skipBlanks(), let value = DecimalNumber.scan(base, &position, end),
      position == end || Self.isBlank(base[position])
    else { return nil }
    return value
  }

  @inline(__always)
  package mutating func vector() -> Vector3? {
    guard let x = real(), let y = real(), let z = real() else { return nil }
    return Vector3(x, y, z)
  }

  @inline(__always)
  package mutating func integer() -> Int? {
    guard skipBlanks(), let value = DecimalNumber.scanInteger(base, &position, end),
      position == end || Self.isBlank(base[position])
    else { return nil }
    return value
  }

  /// The bytes of the next field; nil at the end of the line.
  @inline(__always)
  package mutating func field() -> UnsafeBufferPointer<UInt8>? {
    guard skipBlanks() else { return nil }
    let first = position
    while position < end, !Self.isBlank(base[position]) { position += 1 }
    return UnsafeBufferPointer(start: base + first, count: position - first)
  }
}
