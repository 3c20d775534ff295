import Configurations
import Foundation
import Platform
import TestSupport
import Testing
import VASP

struct SourceStreamTests {
  private typealias Member = ArchiveBytes.Member

  private let line = Array(" vasp.5.4.4 made by hand\n".utf8)

  /// Name and content of everything in an input.
  private func unpack(_ bytes: [UInt8], limits: SourceLimits = SourceLimits(), chunk: Int = .max)
    throws -> (
      entries: [String: [UInt8]], order: [String], diagnostics: [Diagnostic], isWhole: Bool
    )
  {
    let stream = SourceStream(MemoryByteSource(bytes, chunk: chunk), name: "in", limits: limits)
    var entries: [String: [UInt8]] = [:]
    var order: [String] = []
    while let entry = try stream.next() {
      let content = try entry.readAll()
      #expect(entry.digest == Digest(of: content))
      #expect(entry.byteCount == content.count)
      entries[entry.name] = content
      order.append(entry.name)
    }
    return (entries, order, stream.diagnostics, stream.isWhole)
  }

  /// The code with which an input is refused; nil where it is not.
  private func refusal(_ bytes: [UInt8], limits: SourceLimits = SourceLimits()) -> String? {
    do {
      _ = try unpack(bytes, limits: limits)
      return nil
    } catch {
      return (error as? Diagnostic)?.code ?? "\(error)"
    }
  }

  @Test func everyCompressionIsToldByContent() throws {
    let packed = [
      "bzip2":
        "QlpoOTFBWSZTWXRv0sUAAAJZgAAQQAEGADZDSSAgADFMABNCmTJiNqepEnbJAnN2e+A1hSin4u5IpwoSDo36WKA=",
      "xz":
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAYIHZhc3AuNS40LjQgbWFkZSBieSBoYW5kCgAAAADBPjJGxe8aVAABMRlZGrCCH7bzfQEAAAAABFla",
      "lzma": "XQAAgAD//////////wAQHYgnZwB1VvD2TYNa0f8T85hTIgZj0kS39xFJat//8xBkAA==",
      "zstd": "KLUv/SQZyQAAIHZhc3AuNS40LjQgbWFkZSBieSBoYW5kCr64vII=",
      "gzip": "H4sIAAAAAAAAA1MoSywu0DPVM9EzUchNTElVSKpUyEjMS+ECANd+9FgZAAAA",
    ]
    for (name, text) in packed {
      let bytes = [UInt8](Data(base64Encoded: text)!)
      #expect(try unpack(bytes).entries == ["in": line], "\(name)")
      #expect(try unpack(bytes, chunk: 1).entries == ["in": line], "\(name), byte by byte")
      #expect(try unpack(ArchiveBytes.gzip(bytes)).entries == ["in": line], "\(name) in gzip")
      // Cut anywhere it gives less, and says so, or is no longer recognised.
      for cut in 16..<bytes.count - 1 {
        let result = try? unpack(Array(bytes[..<cut]))
        guard let result, let content = result.entries["in"] else { continue }
        let same = content == Array(bytes[..<cut])
        #expect(same || line.starts(with: content), "\(name) cut at \(cut)")
        #expect(same || !result.isWhole || content == line, "\(name) cut at \(cut)")
      }
      // A flipped bit never gives other content without an error.
      for bit in 0..<bytes.count * 8 {
        var damaged = bytes
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        let content = (try? unpack(damaged)).flatMap { $0.isWhole ? $0.entries["in"] : nil }
        let harmless = content == nil || content == line || content == damaged
        // Old-style LZMA has no check sum to find it by.
        #expect(harmless || name == "lzma", "\(name) bit \(bit)")
      }
    }
  }

  @Test func gzipMembersOneAfterAnother() throws {
    let two = ArchiveBytes.gzip(line) + ArchiveBytes.gzip(line) + [0, 0, 0]
    #expect(try unpack(two).entries == ["in": line + line])
    #expect(try unpack(two, chunk: 7).entries == ["in": line + line])
    #expect(try unpack(ArchiveBytes.gzip([])).entries == ["in": []])
  }

  @Test func archivesAndArchivesInThem() throws {
    let inner = ArchiveBytes.tar([Member("./b/OUTCAR", line), Member("b/", type: "5")])
    let members = [
      Member("a", type: "5"), Member("a/OUTCAR.gz", ArchiveBytes.gzip(line)),
      Member("inner.tgz", ArchiveBytes.gzip(inner)), Member("last", [1, 2, 3]),
    ]
    let expected = ["in/a/OUTCAR.gz": line, "in/inner.tgz/b/OUTCAR": line, "in/last": [1, 2, 3]]
    for (name, bytes) in [
      ("tar", ArchiveBytes.tar(members)), ("zip", ArchiveBytes.zip(Array(members[1...]))),
    ] {
      for chunk in [Int.max, 1000, 13] {
        let result = try unpack(bytes, chunk: chunk)
        #expect(result.entries == expected, "\(name)")
        #expect(result.order == ["in/a/OUTCAR.gz", "in/inner.tgz/b/OUTCAR", "in/last"])
        #expect(result.isWhole && result.diagnostics.isEmpty, "\(name) \(result.diagnostics)")
      }
    }
  }

  @Test func namesBeyondASCII() throws {
    let members = [Member("Größe/原子/OUTCAR", line)]
    for bytes in [ArchiveBytes.tar(members), ArchiveBytes.zip(members)] {
      #expect(try unpack(bytes).entries == ["in/Größe/原子/OUTCAR": line])
    }
  }

  @Test func nestingIsLimited() {
    let two = ArchiveBytes.zip([Member("b.tar", ArchiveBytes.tar([Member("OUTCAR", line)]))])
    #expect(refusal(two) == nil)
    #expect(refusal(ArchiveBytes.tar([Member("c.zip", two)])) == "archive-nesting")
    let twice = ArchiveBytes.gzip(ArchiveBytes.gzip(line))
    #expect(refusal(twice) == nil)
    #expect(refusal(ArchiveBytes.gzip(twice)) == "archive-nesting")
  }

  @Test(arguments: [
    "/etc/passwd", "../OUTCAR", "a/../../b", "a/..", "a\\b", "a\nb", "a\u{7F}", "C:/x", "..",
  ])
  func hostileNamesAreRefused(name: String) {
    #expect(refusal(ArchiveBytes.tar([Member(name, line)])) == "archive-path")
    // In a zip libarchive makes slashes of backslashes; then the directory no longer agrees.
    let zip = refusal(ArchiveBytes.zip([Member("fine", line), Member(name, line)]))
    #expect(zip == "archive-path" || (name.contains("\\") && zip == "archive-directory"))
  }

  @Test func namesThatMeetAreRefused() {
    for (a, b) in [
      ("a/OUTCAR", "a/OUTCAR"), ("a/OUTCAR", "A/outcar"), ("./x", "x"), ("a//b", "a/b"),
    ] {
      let members = [Member(a, line), Member(b, line)]
      #expect(refusal(ArchiveBytes.tar(members)) == "archive-duplicate", "\(a) \(b)")
      #expect(refusal(ArchiveBytes.zip(members)) == "archive-duplicate", "\(a) \(b)")
    }
  }

  @Test func linksAndDevicesAreSkippedWithANote() throws {
    let result = try unpack(
      ArchiveBytes.tar([
        Member("link", type: "2", link: "/etc/passwd"), Member("hard", type: "1", link: "OUTCAR"),
        Member("null", type: "3"), Member("pipe", type: "6"), Member("OUTCAR", line),
      ]))
    #expect(result.entries == ["in/OUTCAR": line])
    #expect(result.diagnostics.map(\.code) == Array(repeating: "archive-special", count: 4))
    #expect(result.diagnostics.allSatisfy { $0.severity == .note && $0.place.member != nil })
  }

  @Test func sparseFilesAreRefused() {
    #expect(refusal(ArchiveBytes.tar([Member("OUTCAR", line, type: "S")])) == "archive-sparse")
  }

  @Test func limitsHold() {
    let many = ArchiveBytes.tar((0..<11).map { Member("\($0)", [1]) })
    #expect(refusal(many, limits: SourceLimits(members: 10)) == "archive-members")
    #expect(refusal(many, limits: SourceLimits(members: 11)) == nil)
    let large = ArchiveBytes.gzip([UInt8](repeating: 7, count: 5000))
    #expect(refusal(large, limits: SourceLimits(totalBytes: 4999)) == "archive-too-large")
    #expect(refusal(large, limits: SourceLimits(totalBytes: 5000)) == nil)
    let deep = ArchiveBytes.tar([Member(String(repeating: "d/", count: 20) + "x", [1])])
    #expect(refusal(deep, limits: SourceLimits(pathLength: 40)) == "archive-path")
    // Fixed codes reach 159 to 1.
    let bomb = ArchiveBytes.gzipBomb(3 << 20)
    let limits = SourceLimits(ratio: 100)
    #expect(refusal(bomb, limits: limits) == "archive-ratio")
    #expect(refusal(ArchiveBytes.tar([Member("OUTCAR", bomb)]), limits: limits) == "archive-ratio")
    #expect(refusal(bomb) == nil)
    #expect(refusal(ArchiveBytes.gzipBomb(1 << 19), limits: limits) == nil, "within the grace")
  }

  @Test func zipPartsMustAgree() {
    let members = [Member("OUTCAR", line), Member("b/OUTCAR", [1, 2])]
    #expect(refusal(ArchiveBytes.zip(members)) == nil)
    let hidden = ArchiveBytes.zip(members, directory: [members[0]])
    #expect(refusal(hidden) == "archive-directory")
    let overlapping = ArchiveBytes.zip([members[0]], directory: [members[0], members[0]])
    #expect(refusal(overlapping) == "archive-directory")
    let renamed = ArchiveBytes.zip(members, directory: [members[0], Member("c/OUTCAR", [1, 2])])
    #expect(refusal(renamed) == "archive-directory")
    let resized = ArchiveBytes.zip(
      members, directory: [members[0], Member("b/OUTCAR", [1, 2, 3])])
    #expect(refusal(resized) == "archive-directory")
    var damaged = ArchiveBytes.zip(members)
    damaged[36 + 5] ^= 1
    #expect(refusal(damaged) != nil || (try? unpack(damaged).entries["in/OUTCAR"]) == nil)
  }

  @Test func brokenArchivesGiveWhatCameBefore() throws {
    let members = [Member("a", line), Member("b", line), Member("c", line)]
    for bytes in [ArchiveBytes.tar(members), ArchiveBytes.zip(members)] {
      for cut in stride(from: 520, to: bytes.count, by: 97) {
        guard let result = try? unpack(Array(bytes[..<cut])) else { continue }
        for (name, content) in result.entries where name != "in" {
          #expect(line.starts(with: content), "cut at \(cut)")
        }
      }
    }
    let zip = ArchiveBytes.zip(members)
    for cut in 80..<zip.count - 1 {
      let result = try? unpack(Array(zip[..<cut]))
      // The end record has 22 bytes; without its signature the archive is not whole.
      if cut < zip.count - 18 { #expect(result?.isWhole != true, "cut at \(cut)") }
    }
  }

  @Test func randomBytesNeverCrash() {
    var generator = SeededGenerator(seed: 3)
    let seeds = [
      ArchiveBytes.tar([Member("a/OUTCAR", line), Member("b.gz", ArchiveBytes.gzip(line))]),
      ArchiveBytes.zip([Member("a/OUTCAR", line), Member("b.gz", ArchiveBytes.gzip(line))]),
      ArchiveBytes.gzip(ArchiveBytes.tar([Member("a/OUTCAR", line)])),
    ]
    for k in 0..<2000 {
      var bytes = seeds[k % seeds.count]
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
          in: 0...255, using: &generator)
      }
      _ = refusal(bytes, limits: SourceLimits(totalBytes: 1 << 20))
    }
  }
}
