// The bytes of a vasprun.xml come in; its ionic steps come out, one by one, as they are complete.

import CLibXML2
import Configurations
import Glibc
import Platform

/// Reads vasprun.xml as a stream: libxml2's SAX2 push parser, no document tree. A file that breaks
/// off, or is not well formed from some place on, gives the steps that were closed before.
public final class VasprunReader {
  private let source: any ByteSource
  private let name: String
  // Behind a pointer of its own, which is what libxml2 hands back with every event.
  private let handler: UnsafeMutablePointer<VasprunHandler>
  private var context: xmlParserCtxtPtr
  private static let capacity = 1 << 17
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
  /// Bytes at the front of the buffer that wait for the rest of their line.
  private var waiting = 0
  /// Whether plain rows are taken out of the text before it is parsed.
  private let takesRows: Bool
  private var isFirst = true
  /// Of the runs before the one being read: several vasprun.xml may have been written into one file.
  private var earlierRuns: [RunDescription] = []
  /// What looks for the next run, once one has ended.
  private var search: DocumentSearch?
  private var atStart = true
  private var isOver = false
  private var replaced = 0
  private var delivered = 0
  /// Runs that were found to be broken.
  private var breaks = 0

  /// Bytes of markup that may wait for their end, beside what one chunk adds.
  private static let longestMarkup = 1 << 15

  /// What was wrong with the file, as far as it has been read.
  public private(set) var diagnostics: [Diagnostic] = []

  /// True once the closing `</modeling>` has been read and nothing before it was broken.
  public var isComplete: Bool { handler.pointee.sawEnd }

  /// The settings of the run, as far as it has been read; all of them once `next()` has given nil.
  public var settings: CalculationSettings { handler.pointee.description().settings }

  package var run: RunDescription { handler.pointee.description() }

  /// Of one run in the file, as far as it has been read.
  package func run(ofPart part: Int) -> RunDescription {
    part < earlierRuns.count ? earlierRuns[part] : handler.pointee.description()
  }

  /// `name` is what provenance and messages call the source.
  public convenience init(_ source: any ByteSource, name: String) {
    self.init(source, name: name, takesRows: true)
  }

  /// `takesRows`: false has libxml2 parse everything, for tests.
  package init(_ source: any ByteSource, name: String, takesRows: Bool) {
    self.source = source
    self.name = name
    self.takesRows = takesRows
    handler = .allocate(capacity: 1)
    handler.initialize(to: VasprunHandler(file: name, plainRows: PlainRows(capacity: Self.capacity)))
    context = Self.makeContext(handler, line: 1)
  }

  private static func makeContext(_ handler: UnsafeMutablePointer<VasprunHandler>, line: Int) -> xmlParserCtxtPtr {
    var callbacks = VasprunHandler.callbacks
    guard let context = xmlCreatePushParserCtxt(&callbacks, handler, nil, 0, nil) else {
      preconditionFailure("libxml2 does not start")
    }
    handler.pointee.context = context
    // The bytes are plain ASCII by then: what the prolog says of their encoding no longer holds.
    xmlCtxtUseOptions(context, Int32(XML_PARSE_IGNORE_ENC.rawValue | XML_PARSE_NONET.rawValue))
    context.pointee.input?.pointee.line = Int32(clamping: line)
    return context
  }

  deinit {
    xmlFreeParserCtxt(context)
    handler.pointee.destroy()
    handler.pointee.plainRows.deallocate()
    handler.deinitialize(count: 1)
    handler.deallocate()
    buffer.deallocate()
  }

  /// The next ionic step that is fit to be a configuration, nil at the end. Steps that are not are
  /// named in `diagnostics`. Throws where the file must be refused as a whole.
  public func next() throws(Diagnostic) -> Configuration? {
    while let step = try nextStep() {
      do {
        return try step.configuration(source: name, carrying: carried(part: step.part))
      } catch {
        diagnostics.append(error)
      }
    }
    return nil
  }

  private var carriedProperties: [Int: [String: PropertyValue]] = [:]

  private func carried(part: Int) -> [String: PropertyValue] {
    if let known = carriedProperties[part] { return known }
    let carried = run(ofPart: part).carried
    carriedProperties[part] = carried
    return carried
  }

  /// The next complete ionic step, whatever it holds.
  package func nextStep() throws(Diagnostic) -> IonicStep? {
    while true {
      if delivered < handler.pointee.steps.count {
        let step = handler.pointee.steps[delivered]
        delivered += 1
        if delivered == handler.pointee.steps.count {
          handler.pointee.steps.removeAll(keepingCapacity: true)
          delivered = 0
        }
        return step
      }
      if isOver { return nil }
      try parseMore()
      diagnostics += handler.pointee.remarks.take()
    }
  }

  private func parseMore() throws(Diagnostic) {
    let got = try fill(from: waiting)
    var end = waiting + got
    var start = 0
    if isFirst {
      // Enough to see a byte order mark, however small the pieces are.
      while end > 0, end < 3 {
        let more = try fill(from: end)
        if more == 0 { break }
        end += more
      }
      isFirst = false
      if end >= 3, buffer[0] == 0xEF, buffer[1] == 0xBB, buffer[2] == 0xBF { start = 3 }
    }
    let isEnd = got == 0
    if atStart {
      // An XML declaration may have nothing before it; blanks do no harm otherwise.
      while start < end, [0x20, 0x09, 0x0A, 0x0D].contains(buffer[start]) { start += 1 }
      if start == end, !isEnd { return }
      atStart = false
    }
    replaced += makeASCII(UnsafeMutableRawBufferPointer(rebasing: buffer[max(start, waiting)..<end]))
    if takesRows, !isEnd, handler.pointee.sawRoot, search == nil {
      let bytes = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
      let taken = handler.pointee.plainRows.take(UnsafeBufferPointer(start: bytes, count: end))
      // A line that fills the buffer is parsed as it is.
      if taken > 0 || end < buffer.count {
        waiting = end - taken
        memmove(bytes, bytes + taken, waiting)
        let (rest, count) = (handler.pointee.plainRows.output, handler.pointee.plainRows.count)
        try parse(UnsafeMutableRawBufferPointer(start: rest, count: count), isEnd: false)
        return
      }
    }
    waiting = 0
    if end > start { handler.pointee.plainRows.skip(endingWith: buffer[end - 1]) }
    try parse(UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end]), isEnd: isEnd)
  }

  /// Parses `bytes`; where a run ends or breaks in them, goes on with the next one that begins behind it.
  /// A loop, because a hostile file can begin a run every few bytes.
  private func parse(_ bytes: UnsafeMutableRawBufferPointer, isEnd: Bool) throws(Diagnostic) {
    var rest = bytes
    var isEnd = isEnd
    while !rest.isEmpty || isEnd {
      if search != nil {
        guard let found = search!.take(UnsafeRawBufferPointer(rest)) else {
          if isEnd || search!.isHopeless { finish(atEnd: isEnd) }
          return
        }
        try beginRun()
        // What was consumed with earlier bytes is the beginning of "<?xml" or "<modeling".
        let opening = Array(found.carried)
        if !opening.isEmpty {
          _ = opening.withUnsafeBytes {
            xmlParseChunk(context, $0.baseAddress!.assumingMemoryBound(to: CChar.self), Int32($0.count), 0)
          }
        }
        rest = UnsafeMutableRawBufferPointer(rebasing: rest[found.at...])
        continue
      }
      let sawRoot = handler.pointee.sawRoot
      let text = rest.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) }
      let code = xmlParseChunk(context, text, Int32(rest.count), isEnd ? 1 : 0)
      if let refusal = handler.pointee.refusal {
        isOver = true
        throw refusal
      }
      if handler.pointee.sawEnd {
        if isEnd { return finish(atEnd: true) }
        // Behind the end of the document nothing matters but another one.
        search = DocumentSearch(behindEndIn: UnsafeRawBufferPointer(rest))
      } else if isEnd {
        return finish(atEnd: true)
      } else if code != 0 {
        // An error ends what can be trusted of this run.
        note(atEnd: false)
        search = DocumentSearch(behindErrorIn: UnsafeRawBufferPointer(rest), sawRoot: sawRoot)
      } else {
        return try refuseEndlessMarkup()
      }
      rest = UnsafeMutableRawBufferPointer(rebasing: rest[search!.start...])
      isEnd = false
    }
  }

  /// libxml2 keeps a tag, a comment or a reference until it is complete, and needs time with the square of
  /// its attributes; no markup of VASP's is longer than a line.
  private func refuseEndlessMarkup() throws(Diagnostic) {
    guard let input = context.pointee.input, let at = input.pointee.cur, let end = input.pointee.end,
      end - at > Self.longestMarkup
    else { return }
    isOver = true
    throw Diagnostic(
      .error, code: "xml-markup",
      place: .init(file: name, line: Int(input.pointee.line)),
      cause: "a tag, a comment or a reference begins here and is longer than \(Self.longestMarkup / 1024) KB.",
      remedy: "vasprun.xml as VASP writes it has none of this; do not trust the file.")
  }

  /// Starts afresh for the run that begins in the middle of the file.
  private func beginRun() throws(Diagnostic) {
    search = nil
    let (old, line) = (handler.pointee, Int(context.pointee.input?.pointee.line ?? 1))
    // A prolog alone is no run.
    if old.sawRoot {
      earlierRuns.append(old.description())
      let (earlier, place) = (earlierRuns.count, Diagnostic.Place(file: name, line: line))
      if let refusal = SeveralRuns.refusal(earlier: earlier, at: place) {
        isOver = true
        throw refusal
      }
      let note = SeveralRuns.note(
        earlier: earlier, at: place, broken: old.sawEnd ? nil : "the one before it breaks off")
      diagnostics += note.map { [$0] } ?? []
    }
    xmlFreeParserCtxt(context)
    let undelivered = old.steps
    handler.pointee.destroy()
    // Rows that were taken out of the text ahead belong to the run that begins.
    handler.pointee = VasprunHandler(
      file: name, plainRows: old.plainRows, part: earlierRuns.count, stepCount: old.stepCount)
    handler.pointee.steps = undelivered
    handler.pointee.remarks = old.remarks
    context = Self.makeContext(handler, line: line)
  }

  /// Reads into the buffer behind its first `kept` bytes.
  private func fill(from kept: Int) throws(Diagnostic) -> Int {
    do {
      return try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]))
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw Diagnostic(
        .error, code: "unreadable", place: .init(file: name), cause: "reading failed: \(error).",
        remedy: "Check the file and its storage.")
    }
  }

  private func finish(atEnd: Bool) {
    isOver = true
    if replaced > 0 {
      diagnostics.append(
        Diagnostic(
          .note, code: "illegal-bytes", place: .init(file: name),
          cause: "\(replaced) bytes that XML does not allow were read as '?'."))
    }
    if search == nil || handler.pointee.sawEnd { note(atEnd: atEnd) }
  }

  /// Says why the run being read is not whole.
  private func note(atEnd: Bool) {
    if handler.pointee.sawEnd { return }
    breaks += 1
    guard breaks <= SeveralRuns.named else { return }
    let line = Int(context.pointee.input?.pointee.line ?? 0)
    let place = Diagnostic.Place(
      file: name, line: line > 0 ? line : nil, ionicStep: handler.pointee.stepCount)
    if !handler.pointee.sawRoot {
      diagnostics.append(
        Diagnostic(
          .error, code: "not-vasprun", place: place, cause: "there is no <modeling> element.",
          remedy: "Check that this is a vasprun.xml."))
    } else if atEnd {
      diagnostics.append(
        Diagnostic(
          .warning, code: "truncated", place: place,
          cause:
            "the file ends before </modeling>; \(Self.complete(handler.pointee.stepCount)) kept.",
          remedy: "Give it again once the run has ended, or copy it again if it was cut."))
    } else {
      let message = xmlCtxtGetLastError(context)?.pointee.message.map { String(cString: $0) } ?? ""
      let reason = String(message.split(whereSeparator: \.isNewline).first ?? "malformed")
      diagnostics.append(
        Diagnostic(
          .warning, code: "malformed-xml", place: place,
          cause:
            "the XML is broken here (\(reason)); \(Self.complete(handler.pointee.stepCount)) kept.",
          remedy: "Copy the file again if it was whole; the OUTCAR beside it may hold the steps behind this place."))
    }
  }

  private static func complete(_ count: Int) -> String {
    count == 1 ? "1 complete step was" : "\(count) complete steps were"
  }

  /// Puts '?' for bytes that no vasprun.xml needs: controls that XML forbids and everything beyond
  /// ASCII, whose encoding the prolog often gets wrong. Returns how many there were.
  private func makeASCII(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
    var found = 0
    var at = 0
    while at < bytes.count {
      let end = min(at + 1024, bytes.count)
      var bad: UInt8 = 0
      // Branch-free, so that the compiler can vectorise it: not 0x20...0x7F and no newline. Tabs and
      // carriage returns are rare enough to be looked at again.
      for i in at..<end {
        let b = bytes[i]
        bad |= (b &- 0x20 > 0x5F ? 1 : 0) & (b != 0x0A ? 1 : 0)
      }
      if bad != 0 {
        for i in at..<end {
          let b = bytes[i]
          if b >= 0x80 || (b < 0x20 && b != 0x0A && b != 0x09 && b != 0x0D) {
            bytes[i] = 0x3F
            found += 1
          }
        }
      }
      at = end
    }
    return found
  }
}
