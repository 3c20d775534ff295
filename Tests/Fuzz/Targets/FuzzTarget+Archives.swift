import Configurations
import Foundation
import Platform
import TestSupport
import VASP

extension FuzzTarget {
  private typealias Member = ArchiveBytes.Member

  private static let content = Array(" vasp.5.4.4 made by hand\n".utf8)
  private static let other = Array("1\nproperties=1\nW 0 0 0\n".utf8)

  /// `content` in each compression, as the usual tools pack it.
  private static let packed = [
    "QlpoOTFBWSZTWXRv0sUAAAJZgAAQQAEGADZDSSAgADFMABNCmTJiNqepEnbJAnN2e+A1hSin4u5IpwoSDo36WKA=",
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAYIHZhc3AuNS40LjQgbWFkZSBieSBoYW5kCgAAAADBPjJGxe8aVAABMRlZGrCCH7bzfQEAAAAABFla",
    "KLUv/SQZyQAAIHZhc3AuNS40LjQgbWFkZSBieSBoYW5kCr64vII=",
    "H4sIAAAAAAAAA1MoSywu0DPVM9EzUchNTElVSKpUyEjMS+ECANd+9FgZAAAA",
    "XQAAgAD//////////wAQHYgnZwB1VvD2TYNa0f8T85hTIgZj0kS39xFJat//8xBkAA==",
  ].map { [UInt8](Data(base64Encoded: $0)!) }

  /// Seeds whose content stands under a check sum come first.
  private static let archives: [[UInt8]] = {
    let members = [Member("a/OUTCAR", content), Member("a/b.xyz", other)]
    let inner = ArchiveBytes.tar(members)
    return packed.dropLast() + [
      ArchiveBytes.zip(members), ArchiveBytes.gzip(inner),
      ArchiveBytes.tar([Member("a", type: "5")] + members), packed.last!,
      ArchiveBytes.tar([Member("inner.tgz", ArchiveBytes.gzip(inner)), Member("c", content)]),
      ArchiveBytes.zip([Member("inner.tar", inner)]),
      ArchiveBytes.tar([
        Member("link", type: "2", link: "/etc/passwd"), Member("hard", type: "1", link: "a/OUTCAR"),
        Member("null", type: "3"),
        Member("OUTCAR", content),
      ]),
      ArchiveBytes.gzipBomb(1 << 16),
    ]
  }()

  static let archive = FuzzTarget(
    "archive", seeds: archives,
    tokens: [
      "../../../etc/passwd", "/etc/passwd", "a\\..\\b", "C:/x", "PK\u{1}\u{2}", "PK\u{5}\u{6}", "PK\u{7}\u{8}",
      "PK\u{6}\u{6}", "ustar  ",
      "ustar\u{0}00", "././@LongLink", "30 path=../x\n", "GNU.sparse.size", "77777777777", "BZh9", "7zXZ",
    ]
  ) { mutant in
    var limits = SourceLimits()
    limits.totalBytes = 64 << 20
    let stream = SourceStream(MemoryByteSource(mutant.bytes, chunk: 4096), name: "in", limits: limits)
    do throws(Diagnostic) {
      while let entry = try stream.next() {
        if let fault = fault(of: entry) { return fault }
        guard let bytes = try? entry.readAll() else { continue }
        if entry.digest != Digest(of: bytes) { return "the digest is not that of the bytes" }
        // A check sum was right, or the end was seen to be missing: nothing but the content comes out.
        guard case .byte = mutant.damage, mutant.seed < 5, entry.damage == nil, entry.truncation == nil else {
          continue
        }
        let good = content.starts(with: bytes) || other.starts(with: bytes) || bytes == mutant.bytes
        if !good { return "changed content without an error" }
      }
    } catch { return flaw(of: error) }
    return stream.diagnostics.lazy.compactMap(flaw).first
  }

  private static func fault(of entry: SourceEntry) -> String? {
    guard let member = entry.member else { return nil }
    let parts = member.split(separator: "/", omittingEmptySubsequences: false)
    if member.hasPrefix("/") || parts.contains("..") || member.contains("\\")
      || member.utf8.contains(where: { $0 < 0x20 })
    {
      return "a member called '\(member)'"
    }
    return nil
  }
}
