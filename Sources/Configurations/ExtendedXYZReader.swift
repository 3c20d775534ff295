// Bytes of an extended XYZ file come in, configurations go out one frame at a time.

import Platform

/// Reads extended XYZ (https://github.com/libAtoms/extxyz; ASE's dialect too), front to back.
///
/// - Lengths in Å, energies eV, forces eV/Å, `stress` eV/Å³ with tension positive as nine numbers or
///   six (xx yy zz yz xz xy), `virial` eV = -volume * stress. Keys: see `LabelKeys`.
/// - `free_energy` is the force-consistent energy and wins over `energy`, as ASE and VASP mean it;
///   a different `energy` beside it is then the one extrapolated to zero smearing. Any other two
///   energies that differ are an error, and so are a stress and a virial that do not agree.
/// - `pbc` is true where it is not given and there is a `Lattice`, else false.
/// - `config_type` becomes the group. A frame that has both `source` and `ionic_step` was written by
///   Sluice and gets its provenance back from them; other frames get the file's name and the frame's
///   index. Keys that mean nothing here become properties.
/// - Forces and energies that are not finite are kept: to judge labels is not a reader's work.
public struct ExtendedXYZReader {
  private var lines: LineReader
  private let keys: LabelKeys
  private let restoresProvenance: Bool
  private var finished = false
  private var cache = ColumnsCache()
  /// Index of the frame that `next()` reads now.
  public private(set) var frameIndex = 0

  /// `name` is what diagnostics and provenance call the file. With `restoresProvenance` false every
  /// frame gets `name` and its index, whatever it says of itself.
  public init(
    _ source: any ByteSource, name: String, keys: LabelKeys = LabelKeys(),
    restoresProvenance: Bool = true
  ) {
    lines = LineReader(source, name: name)
    self.keys = keys
    self.restoresProvenance = restoresProvenance
  }

  /// The next frame, or nil at the end. After an error there are no further frames; those read
  /// before it are good.
  public mutating func next() throws(Diagnostic) -> Configuration? {
    guard !finished else { return nil }
    finished = true
    repeat {
      guard try lines.advance() else { return nil }
    } while lines.isBlank
    let configuration = try readFrame()
    frameIndex += 1
    finished = false
    return configuration
  }

  /// All frames that are left.
  public mutating func readAll() throws(Diagnostic) -> [Configuration] {
    var all: [Configuration] = []
    while let configuration = try next() { all.append(configuration) }
    return all
  }

  private mutating func readFrame() throws(Diagnostic) -> Configuration {
    let count = try atomCount()
    guard try lines.advance() else {
      throw trouble("truncated", "the file ends before the frame's comment line.")
    }
    let commentLine = lines.number
    var cache = self.cache
    var comment = try lines.withLine { (bytes) throws(Diagnostic) -> FrameComment in
      try readComment(bytes, &cache)
    }
    self.cache = cache
    comment.columns.reserve(count)
    for atom in 0..<count {
      guard try lines.advance() else {
        throw trouble(
          "truncated", "the file ends after \(atom) of \(count) atoms.",
          "The frames before this one are complete.")
      }
      do {
        try lines.withLine { (bytes) throws(ExtendedXYZColumns.Trouble) in
          try comment.columns.append(bytes)
        }
      } catch {
        throw trouble(error.code, "atom \(atom + 1) of \(count): \(error.cause)")
      }
    }
    return try configuration(comment, commentLine)
  }

  private func atomCount() throws(Diagnostic) -> Int {
    let count = lines.withLine { bytes -> Int? in
      guard var cursor = FieldCursor(bytes), let count = cursor.integer(), !cursor.skipBlanks()
      else {
        return nil
      }
      return count
    }
    guard let count else {
      throw trouble(
        "malformed", "expected the number of atoms of a frame, found '\(lines.text.prefix(40))'.")
    }
    guard count > 0 else { throw trouble("malformed", "a frame of \(count) atoms.") }
    return count
  }

  func trouble(
    _ code: String, _ cause: String, _ remedy: String = "", line: Int? = nil
  ) -> Diagnostic {
    lines.error(code, cause, remedy, line: line, frame: frameIndex)
  }

  private func readComment(
    _ bytes: UnsafeBufferPointer<UInt8>, _ cache: inout ColumnsCache
  ) throws(Diagnostic) -> FrameComment {
    var entries: [ExtendedXYZEntry]
    do {
      entries = try ExtendedXYZComment.entries(of: bytes)
    } catch {
      // The comment of a plain XYZ file is free text.
      let text = String(decoding: bytes, as: UTF8.self)
      guard !text.contains("Properties="), !text.contains("Lattice=") else {
        throw trouble("malformed", "column \(error.column): \(error.cause).")
      }
      entries = []
    }
    return try FrameComment(
      entries, bytes, keys, restoresProvenance, &cache, trouble: { trouble($0, $1, $2) })
  }

  private func configuration(
    _ comment: FrameComment, _ line: Int
  ) throws(Diagnostic) -> Configuration {
    var labels = comment.labels
    let columns = comment.columns
    if let first = columns.forces.first {
      for k in columns.forces.indices.dropFirst() where columns.forces[k] != first {
        throw trouble(
          "ambiguous-label",
          "'\(columns.forceNames[0])' and '\(columns.forceNames[k])' both look like forces and differ.",
          "Name the column to use.", line: line)
      }
      labels.forces = first
    }
    var properties = comment.properties
    for extra in columns.extras {
      if let frameValue = properties[extra.name] { properties["info_" + extra.name] = frameValue }
      properties[extra.name] =
        switch extra.kind {
        case .real: .perAtomReals(extra.reals, columns: extra.width)
        case .integer: .perAtomIntegers(extra.integers, columns: extra.width)
        case .text: .perAtomText(extra.texts, columns: extra.width)
        case .logical: .perAtomLogicals(extra.logicals, columns: extra.width)
        }
    }
    return Configuration(
      species: columns.species, positions: columns.positions, cell: comment.cell, labels: labels,
      provenance: Provenance(
        source: comment.source ?? lines.name, ionicStep: comment.ionicStep ?? frameIndex,
        group: comment.group),
      properties: properties)
  }
}
