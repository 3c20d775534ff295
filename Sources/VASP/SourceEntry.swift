import Configurations
import Platform

/// One plain file inside an input, decompressed. Its identity is of exactly the bytes it delivered.
public final class SourceEntry: ByteSource {
  /// The input as named, and the member's path behind it: "runs.tar.gz/a/OUTCAR".
  public let name: String
  /// The path within the archives, nil for an input that is no archive.
  public let member: String?
  private let file: String
  private let content: HeadedSource
  private let packed: CountedSource
  private var builder: ContentIdentityBuilder
  private var failure: Diagnostic?
  private var ended = false
  private var timer: ReadingTimer
  /// True once reading took longer than it may.
  private var isTooSlow = false

  /// Bytes delivered so far.
  public private(set) var byteCount = 0

  /// What ended before its format did ("gzip data"), nil while nothing has. Reading then just ends;
  /// what came before is good.
  public private(set) var truncation: String?

  init(
    _ content: HeadedSource, packed: CountedSource, file: String, member: String?, identity: ContentIdentity,
    secondsPerMegabyte: Double
  ) {
    timer = ReadingTimer(secondsPerMegabyte: secondsPerMegabyte)
    builder = ContentIdentityBuilder(identity)
    self.content = content
    self.packed = packed
    self.file = file
    self.member = member
    name = member.map { "\(file)/\($0)" } ?? file
  }

  /// Bytes this entry has in its archive, before its own compression is undone.
  var packedByteCount: Int { packed.count }

  /// The first bytes, without reading past them.
  public func head(_ count: Int) -> [UInt8] { Array(content.peek(count)) }

  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if let failure { throw failure }
    if ended { return 0 }
    if timer.isOver(byteCount: byteCount) {
      isTooSlow = true
      let diagnostic = timer.refusal(.init(file: file, member: member, byte: byteCount))
      failure = diagnostic
      throw diagnostic
    }
    do {
      let count = try content.read(into: buffer)
      if count == 0 { ended = true }
      byteCount += count
      builder.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
      return count
    } catch let error as Truncation {
      ended = true
      truncation = error.what
      return 0
    } catch let error as Diagnostic {
      failure = error
      throw error
    } catch {
      let diagnostic = Diagnostic(
        .error, code: "unreadable", place: .init(file: file, member: member, byte: byteCount),
        cause: "reading failed: \(error).", remedy: "Check the file and its storage.")
      failure = diagnostic
      throw diagnostic
    }
  }

  /// Reads what is left, so that the digest covers everything. Throws what reading throws, but for
  /// damage inside one member, which stays in `damage` and spares the other members.
  func drain() throws(Diagnostic) {
    // What is left of a member that was given up belongs to its archive, whose other members are good.
    if isTooSlow, member != nil {
      do { try packed.drain() } catch { if let diagnostic = error as? Diagnostic { throw diagnostic } }
      return
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    do {
      while try read(into: buffer) > 0 {}
      if truncation == nil { try packed.drain() }
    } catch let error as Diagnostic {
      failure = error
      if error.code != "damaged" && !isTooSlow || member == nil { throw error }
    } catch let error as Truncation {
      truncation = error.what
    } catch {
      throw Diagnostic(
        .error, code: "unreadable", place: .init(file: file, member: member), cause: "\(error)")
    }
  }

  /// Reads to the end and gives the last `count` bytes, or fewer.
  func tail(_ count: Int) throws(Diagnostic) -> [UInt8] {
    var kept: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    do {
      while true {
        let got = try read(into: buffer)
        if got == 0 { return kept.suffix(count) }
        if kept.count > 4 * count { kept.removeFirst(kept.count - count) }
        kept.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
      }
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw Diagnostic(
        .error, code: "unreadable", place: .init(file: file, member: member), cause: "\(error)")
    }
  }

  /// The error that ended reading: nothing of this entry may be used.
  public var damage: Diagnostic? { failure }

  /// What tells the bytes delivered from others, a digest unless asked otherwise; of the whole entry once it has been read to its end.
  public var digest: Digest { builder.finish() }
}
