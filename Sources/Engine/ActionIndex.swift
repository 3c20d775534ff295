// The records of a pass's actions in one file: a pass over ten thousand sources opens one file, not ten thousand.

import Configurations
import Platform
import StageKit
import Synchronization

/// A cache of the action records, which stay the truth. `<state>/index/actions` is a row of segments, each with
/// its length and digest; a pass appends what is new to it. Where it is absent, cut off or damaged, records are
/// read one by one as if there were none, and it is written anew.
///
/// What it says holds while the folders that hold records and objects are as they were: it knows the time of
/// change of each, and looks at single files where a folder has changed since, or changed within a second of being
/// looked at (a clock may not tell two changes apart).
final class ActionIndex: Sendable {
  private struct State {
    /// Where the record of a key begins: segment and byte. nil before the first use.
    var places: [Digest: (segment: Int, byte: Int)]?
    var segments: [CompactDecoder] = []
    /// Bytes of the file that are whole segments; nil where there is something else behind them.
    var isWhole = true
    /// By first byte of the digest.
    var settled = Settled()
  }

  /// Which folders are as they were.
  fileprivate struct Settled {
    var actions = [Bool](repeating: false, count: 256)
    var objects = [Bool](repeating: false, count: 256)
  }

  private let fileSystem: any FileSystem
  private let store: Store
  private let state = Mutex(State())

  init(_ store: Store) {
    self.store = store
    fileSystem = store.fileSystem
  }

  private var path: String { Path.join(Path.join(store.folder, "index"), "actions") }

  private static let head = Array("sluice actions 1\n".utf8)
  /// A file of more segments is written anew.
  private static let mostSegments = 200

  // MARK: Reading

  /// What is known of one pass's keys; nil for those that must be looked up one by one.
  struct View: Sendable {
    fileprivate let places: [Digest: (segment: Int, byte: Int)]
    fileprivate let segments: [CompactDecoder]
    fileprivate let settled: Settled

    /// The record of a key, if its file is there unchanged.
    func record(_ key: Digest) -> ActionRecord? {
      guard let place = places[key], settled.actions[key.firstByte] else { return nil }
      var decoder = segments[place.segment].at(place.byte)
      return try? ActionRecord(&decoder)
    }

    /// Whether an object of a record in the index is certainly there.
    func contains(_ part: ArtifactPart) -> Bool { settled.objects[part.digest.firstByte] }
  }

  func view() -> View {
    state.withLock { state in
      if state.places == nil { load(&state) }
      return View(places: state.places!, segments: state.segments, settled: state.settled)
    }
  }

  private func load(_ state: inout State) {
    state.places = [:]
    guard let bytes = try? fileSystem.readFileIfPresent(path), bytes.starts(with: Self.head) else {
      state.isWhole = false
      return
    }
    var place = Self.head.count
    var stamps: [Stamp?] = []
    while let segment = Self.segment(bytes, &place), var decoder = try? CompactDecoder(segment) {
      let number = state.segments.count
      do {
        let known = try Self.stamps(&decoder)
        var places: [(Digest, Int)] = []
        for _ in 0..<(try decoder.count()) {
          let key = try decoder.digest()
          let length = try decoder.count()
          places.append((key, try decoder.skip(length)))
        }
        stamps = known
        for (key, byte) in places { state.places![key] = (number, byte) }
        state.segments.append(decoder)
      } catch { break }
    }
    state.isWhole = place == bytes.count
    guard stamps.count == 512 else { return }
    for (index, stamp) in stamps.enumerated() {
      guard let stamp, stamp == self.stamp(index) else { continue }
      if index < 256 { state.settled.actions[index] = true } else { state.settled.objects[index - 256] = true }
    }
  }

  /// The next whole segment, and the place behind it.
  private static func segment(_ bytes: [UInt8], _ place: inout Int) -> [UInt8]? {
    guard place + 40 <= bytes.count else { return nil }
    let (length, digest) = bytes.withUnsafeBytes {
      (
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self)),
        Digest(bytes: UnsafeRawBufferPointer(rebasing: $0[place + 8..<place + 40]))
      )
    }
    guard length <= UInt64(bytes.count - place - 40) else { return nil }
    let segment = Array(bytes[place + 40..<place + 40 + Int(length)])
    guard Digest(of: segment) == digest else { return nil }
    place += 40 + segment.count
    return segment
  }

  // MARK: Folders

  /// What tells that a folder has changed.
  private struct Stamp: Equatable {
    var inode: UInt64
    var modified: Timestamp
    var changed: Timestamp
  }

  /// Of a folder: actions first, then objects.
  private func stamp(_ index: Int, now: Timestamp? = nil) -> Stamp? {
    let name = String(index % 256 + 256, radix: 16).dropFirst()
    let path = Path.join(index < 256 ? store.actions : store.objects, String(name))
    guard let status = try? fileSystem.status(of: path), status.kind == .folder else { return nil }
    if let now, now - max(status.modified, status.changed) < .seconds(1) { return nil }
    return Stamp(inode: status.inode, modified: status.modified, changed: status.changed)
  }

  private static func stamps(_ decoder: inout CompactDecoder) throws -> [Stamp?] {
    var stamps: [Stamp?] = []
    for _ in 0..<(try decoder.count()) {
      guard try decoder.flag() else {
        stamps.append(nil)
        continue
      }
      stamps.append(
        Stamp(
          inode: UInt64(bitPattern: Int64(try decoder.number())),
          modified: Timestamp(nanoseconds: Int64(try decoder.number())),
          changed: Timestamp(nanoseconds: Int64(try decoder.number()))))
    }
    return stamps
  }

  /// Nothing is taken for granted any more: something was found missing or was taken away.
  func distrust() { state.withLock { $0.settled = Settled() } }

  /// The index says nothing any more.
  func clear() {
    fileSystem.removeFileIfPossible(path)
    state.withLock { $0 = State(places: [:], isWhole: false) }
  }

  // MARK: Writing

  /// Keeps the records of a pass that has ended, of which all objects are there.
  func keep(_ actions: [(key: Digest, record: ActionRecord)]) {
    state.withLock { state in
      if state.places == nil { load(&state) }
      let fresh = actions.filter { state.places![$0.key] == nil }
      // Where nothing is new, folders may have come to rest since.
      guard !fresh.isEmpty || hasComeToRest(state.settled) else { return }
      let isCrowded =
        !state.isWhole || state.segments.count >= Self.mostSegments
        || state.places!.count + fresh.count > 2 * actions.count + 100
      // What cannot be written is looked up again next time; a sick disk has been told of by others.
      try? write(isCrowded ? actions : fresh, anew: isCrowded)
      state.places = nil
      state.segments = []
    }
  }

  private func hasComeToRest(_ settled: Settled) -> Bool {
    guard settled.actions.contains(false) || settled.objects.contains(false),
      let now = try? fileSystem.currentTime(in: store.folder)
    else { return false }
    return (0..<512).contains { index in
      !(index < 256 ? settled.actions[index] : settled.objects[index - 256]) && stamp(index, now: now) != nil
    }
  }

  private func write(_ actions: [(key: Digest, record: ActionRecord)], anew: Bool) throws {
    var encoder = CompactEncoder()
    let now = try fileSystem.currentTime(in: store.folder)
    encoder.add(512)
    for index in 0..<512 {
      let stamp = stamp(index, now: now)
      encoder.add(stamp != nil)
      guard let stamp else { continue }
      encoder.add(Int(Int64(bitPattern: stamp.inode)))
      encoder.add(Int(stamp.modified.nanoseconds))
      encoder.add(Int(stamp.changed.nanoseconds))
    }
    encoder.add(actions.count)
    for (key, record) in actions {
      encoder.add(key)
      try encoder.addSized { encoder throws in try record.encode(to: &encoder) }
    }
    let segment = encoder.finish()
    var bytes = anew ? Self.head : []
    withUnsafeBytes(of: UInt64(segment.count).littleEndian) { bytes.append(contentsOf: $0) }
    Digest(of: segment).withBytes { bytes.append(contentsOf: $0) }
    bytes += segment
    try fileSystem.createFolders(Path.parent(path))
    guard anew else { return try fileSystem.open(path, .append).write(bytes) }
    let temporary = fileSystem.temporaryName(beside: path)
    do {
      try fileSystem.open(temporary, .create).write(bytes)
      try fileSystem.rename(temporary, to: path)
    } catch {
      fileSystem.removeFileIfPossible(temporary)
      throw error
    }
  }
}

extension Digest {
  fileprivate var firstByte: Int { Int(leadingBits >> 56) }
}

extension ActionRecord {
  /// What is rare is kept as JSON.
  fileprivate func encode(to encoder: inout CompactEncoder) throws {
    let isPlain = diagnostics.isEmpty && quarantine == nil
    encoder.add(isPlain)
    guard isPlain else { return encoder.add(try CanonicalJSON.encode(self)) }
    encoder.add(subject)
    encoder.add(isComplete)
    encoder.add(outputs.count)
    for output in outputs {
      encoder.add(output.source != nil)
      if let source = output.source { encoder.add(source) }
      encoder.add(output.member != nil)
      if let member = output.member { encoder.add(member) }
      encoder.add(output.artifacts.count)
      for artifact in output.artifacts {
        encoder.add(shared: artifact.kind.rawValue)
        encoder.add(artifact.parts.count)
        for part in artifact.parts {
          encoder.add(shared: part.name)
          encoder.add(part.digest)
          encoder.add(part.size)
        }
      }
    }
  }

  fileprivate init(_ decoder: inout CompactDecoder) throws {
    guard try decoder.flag() else {
      self = try CanonicalJSON.decode(ActionRecord.self, decoder.byteString())
      return
    }
    self.init(subject: try decoder.text())
    isComplete = try decoder.flag()
    let count = try decoder.count()
    outputs.reserveCapacity(count)
    for _ in 0..<count {
      var output = Output(artifacts: [])
      if try decoder.flag() { output.source = try decoder.digest() }
      if try decoder.flag() { output.member = try decoder.text() }
      for _ in 0..<(try decoder.count()) {
        let kind = ArtifactKind(rawValue: try decoder.sharedText())
        let count = try decoder.count()
        var parts: [ArtifactPart] = []
        parts.reserveCapacity(count)
        for _ in 0..<count {
          parts.append(
            ArtifactPart(
              name: try decoder.sharedText(), digest: try decoder.digest(), size: try decoder.number()))
        }
        output.artifacts.append(Artifact(kind: kind, sortedParts: parts))
      }
      outputs.append(output)
    }
  }
}
