// XDATCAR: a trajectory comes in, configurations go out one frame at a time.

import Platform

/// Reads VASP's XDATCAR: one header for all frames, or (variable cell) a header before each; frames
/// begin with "Direct configuration=", "Konfig=" or an empty line. Positions are those of the file,
/// wrapped as VASP wrote them.
public struct XDATCARReader {
  private var lines: LineReader
  private var header: POSCARHeader?
  private var finished = false
  private var frameIndex = 0

  public init(_ source: any ByteSource, name: String) { lines = LineReader(source, name: name) }

  /// The next frame, or nil at the end.
  public mutating func next() throws(Diagnostic) -> Configuration? {
    guard !finished else { return nil }
    finished = true
    guard let header = try frameHeader() else { return nil }
    self.header = header
    let configuration = try atoms(header)
    frameIndex += 1
    finished = false
    return configuration
  }

  /// Moves to the first atom of a frame; nil at the end of the file.
  private mutating func frameHeader() throws(Diagnostic) -> POSCARHeader? {
    guard try lines.advance() else { return nil }
    if var header {
      if isFrameLine { return header }
      if lines.isBlank {
        // Either an empty separator, or the empty comment of a new header.
        var isEnd = false
        repeat {
          isEnd = try !lines.advance()
        } while !isEnd && lines.isBlank
        if isEnd { return nil }
        if isFrameLine { return header }
        lines.holdBack()
        if lines.numbersAtFront().count == 3 { return header }
        header = try POSCARHeader(after: "", &lines)
      } else {
        header = try POSCARHeader(after: lines.text, &lines)
      }
      return try lineBeforeAtoms() ? header : nil
    }
    let comment = lines.text
    if lines.fields.count >= 3, lines.fields.allSatisfy({ Int($0) != nil }), try lines.advance() {
      guard lines.numbersAtFront().count < 4 else {
        throw lines.error(
          "unsupported", "an XDATCAR of VASP 4 holds neither the cell nor the elements.",
          "Use the vasprun.xml or OUTCAR of the run.")
      }
      lines.holdBack()
    }
    let header = try POSCARHeader(after: comment, &lines)
    return try lineBeforeAtoms() ? header : nil
  }

  private mutating func lineBeforeAtoms() throws(Diagnostic) -> Bool {
    guard try lines.advance() else { return false }
    guard isFrameLine || lines.isBlank else {
      throw lines.error("malformed", "expected a line 'Direct configuration='.", "")
    }
    return true
  }

  private var isFrameLine: Bool {
    guard let word = lines.fields.first?.lowercased() else { return false }
    return word == "direct" || word.hasPrefix("konfig")
  }

  private mutating func atoms(_ header: POSCARHeader) throws(Diagnostic) -> Configuration {
    var species: [Element] = []
    var positions: [Vector3] = []
    for block in header.blocks {
      for _ in 0..<block.count {
        guard try lines.advance() else {
          throw lines.error(
            "truncated", "the file ends after \(species.count) of \(header.count) atoms.",
            "The frames before this one are complete.", frame: frameIndex)
        }
        let read = lines.withLine { bytes -> Vector3? in
          guard var cursor = FieldCursor(bytes) else { return nil }
          return cursor.vector()
        }
        guard let read else {
          throw lines.error(
            "malformed",
            "atom \(species.count + 1) of \(header.count): expected three coordinates.", "",
            frame: frameIndex)
        }
        let position = read * header.vectors
        guard position.x.isFinite, position.y.isFinite, position.z.isFinite else {
          throw lines.error("not-finite", "the position is not finite.", "", frame: frameIndex)
        }
        species.append(block.element)
        positions.append(position)
      }
    }
    return Configuration(
      species: species, positions: positions, cell: Cell(vectors: header.vectors),
      provenance: Provenance(source: lines.name, ionicStep: frameIndex))
  }
}
