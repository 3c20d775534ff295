import Foundation
import Testing

/// The house of DESIGN.md as text: who may import whom, and what no file may hold.
@Suite struct ArchitectureTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private struct SourceFile {
    /// Relative to the project.
    let path: String
    let text: String

    /// The target that it belongs to.
    var module: String {
      let parts = path.split(separator: "/").map(String.init)
      return parts[1] == "Bindings" ? parts[2] : parts[1]
    }

    /// Modules that it imports.
    var imports: [String] {
      text.split(whereSeparator: \.isNewline).compactMap { line in
        let words = line.split(separator: " ").map(String.init).drop { $0.hasPrefix("@") }
        let plain = words.first.map { ["public", "package", "internal", "private"].contains($0) } == true
        let rest = Array(plain ? words.dropFirst() : words)
        guard rest.first == "import", rest.count > 1 else { return nil }
        // "import struct Foundation.Data" names the module behind the kind.
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = kinds.contains(rest[1]) && rest.count > 2 ? rest[2] : rest[1]
        return name.split(separator: ".").first.map(String.init)
      }
    }
  }

  private static func files(_ folders: [String], _ extensions: Set<String>) throws -> [SourceFile] {
    var found: [SourceFile] = []
    for folder in folders {
      let all = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
      while let name = all?.nextObject() as? String {
        guard extensions.contains((name as NSString).pathExtension) else { continue }
        let path = folder + "/" + name
        found.append(
          SourceFile(path: path, text: try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)))
      }
    }
    #expect(!found.isEmpty, "\(folders)")
    return found.sorted { $0.path < $1.path }
  }

  private static let standard: Set<String> = [
    "Foundation", "FoundationEssentials", "Dispatch", "Synchronization", "Glibc",
  ]

  /// What a module may import besides the standard library. Shared nouns: Platform, Configurations,
  /// LinearAlgebra; every C library has the one module that wraps it.
  private static let allowed: [String: Set<String>] = [
    "Platform": ["CLinux", "CDigest"],
    "Configurations": ["Platform", "CNeighbors"],
    "VASP": ["Configurations", "Platform", "CLibXML2", "CLibArchive", "CInflate"],
    "LinearAlgebra": ["COpenBLAS", "CHouseholder"],
    "ACE": ["Configurations", "LinearAlgebra", "CKernels"],
    "Regression": ["LinearAlgebra", "Platform"],
    "Novelty": ["LinearAlgebra", "Platform"],
    "Report": [],
    "StageKit": ["Configurations", "Platform"],
    "Engine": ["StageKit", "Configurations", "Platform"],
    "TungstenReference": ["Configurations"],
    "TungstenGenerator": ["TungstenReference", "Configurations", "Platform"],
  ]

  private static let algorithms: Set<String> = ["VASP", "ACE", "Regression", "Novelty", "Report"]

  @Test func arrowsRunTheRightWay() throws {
    for file in try Self.files(["Sources"], ["swift"]) where file.module != "sluice" {
      let allowed = try #require(Self.allowed[file.module], "unknown module \(file.module): say what it may import")
      for name in file.imports {
        #expect(allowed.union(Self.standard).contains(name), "\(file.path) imports \(name)")
      }
    }
  }

  /// `allowed` itself keeps the rules of DESIGN.md, so that nobody loosens it unawares.
  @Test func theTableKeepsTheRules() {
    for (module, names) in Self.allowed {
      if Self.algorithms.contains(module) {
        #expect(names.isDisjoint(with: Self.algorithms.union(["StageKit", "Engine"])), "\(module)")
      }
      if ["Engine", "StageKit"].contains(module) { #expect(names.isDisjoint(with: Self.algorithms), "\(module)") }
      for name in names where name.hasPrefix("C") && name != "Configurations" {
        let importers = Self.allowed.filter { $0.value.contains(name) }.map(\.key)
        #expect(importers == [module], "\(name) has one wrapper")
      }
      #expect(!names.contains("sluice"))
    }
  }

  @Test func pluginsUseStageKitAndAlgorithmsOnly() throws {
    let plugins = Set(
      try FileManager.default.contentsOfDirectory(atPath: Self.root.appendingPathComponent("Plugins").path))
    let tools = Self.algorithms.union(Self.standard).union(["StageKit", "Configurations", "Platform", "LinearAlgebra"])
    for file in try Self.files(["Plugins"], ["swift"]) {
      for name in file.imports {
        // What stages share; no stage imports another stage.
        let isShared = ["Environments", "TrainingRows"].contains(name)
        #expect(tools.contains(name) || isShared, "\(file.path) imports \(name)")
        #expect(isShared || !plugins.contains(name), "\(file.path) imports the stage \(name)")
      }
    }
  }

  /// The command line is the top: it imports what it likes but C, and nobody imports it.
  @Test func nothingImportsTheCommandLine() throws {
    for file in try Self.files(["Sources", "Plugins"], ["swift"]) {
      #expect(!file.imports.contains("sluice"), "\(file.path)")
      if file.module == "sluice" {
        for name in file.imports where name.hasPrefix("C") {
          #expect(["Candidates", "Configurations"].contains(name), "\(file.path) imports \(name)")
        }
      }
    }
  }

  @Test func thereAreNoPackageDependencies() throws {
    let text = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    #expect(!text.contains(".package(") && !text.contains("http"))
    #expect(text.contains("swiftLanguageModes: [.v6]"))
  }

  @Test func filesStaySmall() throws {
    for file in try Self.files(["Sources", "Plugins", "Tests"], ["swift", "c", "h"]) {
      let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
      #expect(lines <= 700, "\(file.path) has \(lines) lines")
    }
  }

  @Test func nothingIsLeftForLater() throws {
    // Spelled in two parts, so that this file may be searched too.
    let words = ["TO" + "DO", "FIX" + "ME"]
    for file in try Self.files(["Sources", "Plugins", "Tests"], ["swift", "c", "h"]) {
      for word in words {
        let says = file.text.contains(word)
        #expect(!says, "\(file.path) says \(word)")
      }
    }
  }

  /// Everything that git tracks; a clone without git (an archive) looks at the folders instead.
  @Test func trackedFilesStaySmall() throws {
    for path in try Self.trackedFiles() {
      let url = Self.root.appendingPathComponent(path)
      // Deleted but not yet committed.
      guard let size = try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize else { continue }
      #expect(size <= 1 << 20, "\(path) has \(size) bytes")
    }
  }

  private static func trackedFiles() throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git", "-C", root.path, "ls-files", "-z"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let names = String(decoding: bytes, as: UTF8.self).split(separator: "\0").map(String.init)
    if process.terminationStatus == 0, !names.isEmpty { return names }
    return ["Sources", "Plugins", "Tests", "inbox", "pipelines"].flatMap { folder in
      (FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)?.allObjects ?? [])
        .compactMap { ($0 as? String).map { folder + "/" + $0 } }
    }
  }
}
