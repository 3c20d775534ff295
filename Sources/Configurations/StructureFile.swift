// A structure file of any kind comes in, configurations go out.

import Platform

/// Reads the frames of a structure file whose format it recognises from its content.
public struct StructureReader {
  public enum Format: String, Sendable, CaseIterable {
    case extendedXYZ = "extended XYZ"
    case poscar = "POSCAR"
    case xdatcar = "XDATCAR"
    case lammpsDump = "LAMMPS dump"
  }

  private enum Reader {
    case extendedXYZ(ExtendedXYZReader)
    case poscar(POSCARReader)
    case xdatcar(XDATCARReader)
    case lammpsDump(LAMMPSDumpReader)
  }

  public let format: Format
  private let name: String
  private var reader: Reader
  private var frameIndex = 0

  /// `name` is what provenance and diagnostics call the file, and a hint at its format where the
  /// content does not tell. `elements`: the elements of LAMMPS atom types. `keys`: the labels' keys
  /// in extended XYZ.
  public init(
    _ source: any ByteSource, name: String, elements: [Int: Element] = [:],
    keys: LabelKeys = LabelKeys()
  ) throws(Diagnostic) {
    let replay: PrefixedSource
    do {
      replay = try PrefixedSource(source, prefix: 1 << 16)
    } catch let diagnostic as Diagnostic {
      throw diagnostic
    } catch {
      throw Diagnostic(
        .error, code: "unreadable", place: .init(file: name),
        cause: "the file could not be read: \(error).", remedy: "Check the file and its storage.")
    }
    guard let format = Self.recognise(replay.prefix, name: name) else {
      throw Diagnostic(
        .error, code: "unknown-format", place: .init(file: name, line: 1),
        cause: replay.prefix.isEmpty
          ? "the file is empty."
          : "this is neither extended XYZ nor POSCAR, XDATCAR or a LAMMPS text dump.",
        remedy: "Check that this is the right file and that it was copied whole.")
    }
    self.format = format
    self.name = name
    reader =
      switch format {
      case .extendedXYZ:
        .extendedXYZ(ExtendedXYZReader(replay, name: name, keys: keys, restoresProvenance: false))
      case .poscar: .poscar(POSCARReader(replay, name: name))
      case .xdatcar: .xdatcar(XDATCARReader(replay, name: name))
      case .lammpsDump: .lammpsDump(LAMMPSDumpReader(replay, name: name, elements: elements))
      }
  }

  /// The next frame, or nil at the end; its provenance is the file's name and the frame's index.
  public mutating func next() throws(Diagnostic) -> Configuration? {
    var configuration: Configuration?
    switch reader {
    case .extendedXYZ(var inner):
      defer { reader = .extendedXYZ(inner) }
      configuration = try inner.next()
    case .poscar(var inner):
      defer { reader = .poscar(inner) }
      configuration = try inner.next()
    case .xdatcar(var inner):
      defer { reader = .xdatcar(inner) }
      configuration = try inner.next()
    case .lammpsDump(var inner):
      defer { reader = .lammpsDump(inner) }
      configuration = try inner.next()
    }
    configuration?.provenance.source = name
    configuration?.provenance.ionicStep = frameIndex
    if configuration != nil { frameIndex += 1 }
    return configuration
  }

  /// The format of a file that begins with `prefix`; nil where neither content nor name tells.
  public static func recognise(_ prefix: [UInt8], name: String) -> Format? {
    let lines = prefix.split(
      separator: 0x0A, maxSplits: 12, omittingEmptySubsequences: false
    ).prefix(12).map { String(decoding: $0.prefix(4096), as: UTF8.self) }
    func numbers(_ k: Int) -> Int? {
      guard k < lines.count else { return nil }
      let words = lines[k].split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
      return words.prefix { DecimalNumber.parse($0) != nil }.count
    }
    let firstText = lines.first { $0.contains { !$0.isWhitespace } } ?? ""
    if firstText.hasPrefix("ITEM:") { return .lammpsDump }
    if numbers(1) == 1 || numbers(1) == 3, (2...4).allSatisfy({ numbers($0) == 3 }) {
      for k in 6...7 where k < lines.count {
        let line = lines[k].lowercased().filter { !$0.isWhitespace }
        if line.hasPrefix("directconfiguration") || line.hasPrefix("konfig") { return .xdatcar }
      }
      // Two lines of this kind can begin a POSCAR and an old XDATCAR; then the name decides.
      if hint(name) == .xdatcar { return .xdatcar }
      // Many a table of three columns begins like the cell: numbers of atoms must follow, with or without names.
      if isCount(lines, 5) || lines.count > 5 && numbers(5) == 0 && isCount(lines, 6) { return .poscar }
    }
    let words = firstText.split { $0.isWhitespace }
    if words.count == 1, let count = Int(words[0]), count > 0, beginsAtoms(lines) { return .extendedXYZ }
    return prefix.isEmpty ? nil : hint(name)
  }

  /// Whether line `k` begins with whole numbers only: how many atoms of each element there are.
  private static func isCount(_ lines: [String], _ k: Int) -> Bool {
    guard k < lines.count else { return false }
    let numbers = lines[k].split { $0.isWhitespace }.prefix { DecimalNumber.parse($0) != nil }
    return !numbers.isEmpty && numbers.allSatisfy { Int($0) != nil }
  }

  /// Whether what follows a number of atoms is a frame: its comment names columns or a cell, or an atom follows.
  private static func beginsAtoms(_ lines: [String]) -> Bool {
    guard lines.count > 2 else { return false }
    if lines[1].contains("Properties=") || lines[1].contains("Lattice=") { return true }
    let words = lines[2].split { $0.isWhitespace }
    return words.count > 3 && words[1...3].allSatisfy { DecimalNumber.parse($0) != nil }
  }

  /// What a name alone says. Asked of every file of an inbox in every pass.
  package static func hint(_ name: String) -> Format? {
    let last = (name.utf8.split(separator: UInt8(ascii: "/")).last.flatMap { String($0) } ?? "").lowercased()
    if last.hasPrefix("xdatcar") { return .xdatcar }
    if last.hasPrefix("poscar") || last.hasPrefix("contcar") { return .poscar }
    switch last.utf8.split(separator: UInt8(ascii: ".")).last.flatMap({ String($0) }) ?? "" {
    case "xyz", "extxyz": return .extendedXYZ
    case "vasp", "poscar", "contcar": return .poscar
    case "xdatcar": return .xdatcar
    case "lammpstrj", "dump": return .lammpsDump
    default: return nil
    }
  }
}

/// All frames of a structure file that could be read, and what stopped the reading, if anything did.
public struct StructureFile: Sendable {
  public var format: StructureReader.Format
  public var configurations: [Configuration]
  /// Why there are no further frames; nil where the file was read to its end.
  public var problem: Diagnostic?

  /// Throws where not even one frame could be read.
  public init(
    _ source: any ByteSource, name: String, elements: [Int: Element] = [:],
    keys: LabelKeys = LabelKeys()
  ) throws(Diagnostic) {
    var reader = try StructureReader(source, name: name, elements: elements, keys: keys)
    format = reader.format
    configurations = []
    do {
      while let configuration = try reader.next() { configurations.append(configuration) }
    } catch {
      problem = error
    }
    if configurations.isEmpty {
      throw problem
        ?? Diagnostic(
          .error, code: "empty", place: .init(file: name), cause: "the file holds no structure.",
          remedy: "Check that the file was copied whole.")
    }
  }
}

/// A source whose first bytes were looked at and are given again.
private final class PrefixedSource: ByteSource {
  private(set) var prefix: [UInt8] = []
  private let rest: any ByteSource
  private var position = 0

  init(_ source: any ByteSource, prefix length: Int) throws {
    rest = source
    var chunk = [UInt8](repeating: 0, count: length)
    while prefix.count < length {
      let room = length - prefix.count
      let count = try chunk.withUnsafeMutableBytes {
        try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<room]))
      }
      if count == 0 { break }
      prefix += chunk[..<count]
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard position < prefix.count else { return try rest.read(into: buffer) }
    let count = min(buffer.count, prefix.count - position)
    buffer.copyBytes(from: prefix[position..<position + count])
    position += count
    return count
  }
}
