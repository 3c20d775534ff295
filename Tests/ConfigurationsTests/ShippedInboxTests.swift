import Configurations
import Foundation
import Platform
import Testing
import TungstenReference

/// The inbox in the repository holds what its README says.
@Suite struct ShippedInboxTests {
  private var inbox: URL {
    URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("inbox")
  }

  private func candidates(_ name: String) throws -> [Configuration] {
    let url = inbox.appendingPathComponent("tungsten-candidates/\(name)")
    let file = try StructureFile(MemoryByteSource([UInt8](try Data(contentsOf: url))), name: name)
    #expect(file.problem == nil)
    return file.configurations
  }

  @Test func everyCandidateIsReadAndUnlabelled() throws {
    let folder = inbox.appendingPathComponent("tungsten-candidates")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(names.count == 9)
    for name in names {
      let frames = try candidates(name)
      #expect(!frames.isEmpty)
      let kind = name.split(separator: "-")[0]
      #expect(["new", "known", "broken"].contains(kind))
      for frame in frames {
        #expect(frame.labels == Labels(), "\(name)")
        let closest = TungstenStructures.closestDistance(frame)
        #expect(kind == "broken" ? closest < 1 : closest > 2, "\(name): \(closest)")
      }
      // No frame is there twice.
      #expect(Set(frames.map { $0.structureDigest() }).count == frames.count)
    }
  }

  /// The copies are those of the run's first steps, to the eight decimals of vasprun.xml.
  @Test func copiesAreCopies() throws {
    let frames = try candidates("known-bulk-300K-copies.xyz")
    let text = try String(
      contentsOf: inbox.appendingPathComponent("tungsten/bulk/300K/vasprun.xml"), encoding: .utf8)
    let lines = text.split(separator: "\n")
    let blocks = lines.indices.filter { lines[$0] == "   <varray name=\"positions\" >" }
    #expect(frames.count == 4 && blocks.count == 12)
    for (frame, block) in zip(frames, blocks) {
      let inverse = try #require(frame.cell?.vectors.inverse)
      for (atom, position) in frame.positions.enumerated() {
        let row = lines[block + 1 + atom].split(separator: " ").compactMap {
          DecimalNumber.parse($0)
        }
        #expect(row.count == 3)
        var gap = position * inverse - Vector3(row[0], row[1], row[2])
        for axis in 0..<3 { gap[axis] -= gap[axis].rounded() }
        #expect(length(gap) < 2e-8)
      }
    }
  }

  @Test func itIsSmallAndSaysThatItIsNoDFT() throws {
    let files = FileManager.default.enumerator(
      at: inbox, includingPropertiesForKeys: [.fileSizeKey])
    var total = 0
    for case let url as URL in files! {
      total += try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
    }
    #expect(total < 1_500_000)
    let readme = try String(
      contentsOf: inbox.appendingPathComponent("README.md"), encoding: .utf8)
    #expect(readme.contains("not DFT"))
  }
}
