import Configurations
import Foundation
import Platform
import TestSupport
import Testing
import VASP

/// Real run folders: both files of a run say the same of it, and no false alarm is raised.
@Suite(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
struct RunCorpusTests {
  private func folders() throws -> [String: [String]] {
    let paths = try Manifest.load().files.map(\.path).filter { !$0.contains("!") }
    return Dictionary(grouping: paths) { String($0[..<($0.lastIndex(of: "/") ?? $0.startIndex)]) }
      .filter { folder, paths in
        !folder.hasSuffix("archives") && paths.contains { $0.contains("OUTCAR") }
          && paths.contains { $0.contains("vasprun") }
      }
  }

  private func file(_ path: String) -> RunFile {
    RunFile(path: String(path.split(separator: "/").last!)) { MemoryByteSource(try SharedData.bytes("vasp/" + path)) }
  }

  @Test func bothFilesOfARunNameTheSameSettings() throws {
    let folders = try folders().sorted { $0.key < $1.key }
    #expect(folders.count > 40)
    let wrong = try concurrentMap(folders.count, threads: 2) { k -> [String] in
      let (folder, paths) = folders[k]
      let together = try SourceReader().read(folder: folder, files: paths.map(file))
      var wrong: [String] = []
      for source in together {
        let alarms = source.diagnostics.filter {
          ["contradiction", "steps-differ", "companion-differs"].contains($0.code)
        }
        wrong += alarms.map(\.description)
      }
      guard paths.count == 2, together.count == 1, together[0].format == .run else { return wrong }
      let apart = try paths.map { path in
        try SourceReader().read(MemoryByteSource(SharedData.bytes("vasp/" + path)), name: path)[0]
      }
      guard let a = apart[0].settings, let b = apart[1].settings else { return wrong + ["\(folder): no settings"] }
      wrong += a.differences(from: b).map { "\(folder): \($0)" }
      if let x = a.kPoints, let y = b.kPoints, x != y, !x.hasSuffix("points"), !y.hasSuffix("points") {
        wrong.append("\(folder): k-points \(x) vs \(y)")
      }
      for key in ["calculation_type", "vasp_version", "potcar"] {
        let values = apart.compactMap { $0.configurations.first?.properties[key] }
        if values.count == 2, values[0] != values[1] { wrong.append("\(folder): \(key) \(values)") }
      }
      return wrong
    }
    #expect(wrong.flatMap { $0 } == [])
  }

  /// Two relaxations in a row are one calculation with the steps of both.
  @Test func relaxationsInARowAreJoined() throws {
    let paths = try folders()["runs/g097-atomate"] ?? []
    try #require(paths.count == 4)
    let joined = try SourceReader().read(folder: "run", files: paths.map(file))
    let apart = try paths.filter { $0.contains("vasprun") }.sorted().flatMap { path in
      try SourceReader().read(MemoryByteSource(SharedData.bytes("vasp/" + path)), name: path)[0].configurations
    }
    #expect(joined.count == 1 && joined[0].files.count == 4)
    #expect(joined[0].configurations.map(\.labels.energy) == apart.map(\.labels.energy))
  }
}
