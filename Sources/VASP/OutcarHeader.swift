import Configurations

/// The settings at the head of an OUTCAR, read until the first electronic iteration.
struct OutcarHeader {
  var isOpen = true
  private(set) var table = SettingsTable()
  private(set) var ionCount: Int?
  private var counts: [Int] = []
  /// From the TITEL lines; `listed` from the lines "POTCAR: ...", for shortened files without them.
  private var titles: [String] = []
  private var listed: [String] = []
  private var valenceNames: [String] = []
  private var divisions: [Int]?
  /// Irreducible k-points in fractions of the reciprocal vectors, and how many points of the whole
  /// zone they stand for.
  private var points: [Vector3] = []
  private var pointTotal = 0.0
  private var pointsOpen = false
  private var isInsideIncar = false
  private(set) var species: [Element] = []

  /// A number beyond this is no number of atoms but damage.
  static let mostAtoms = 10_000_000
  /// More kinds of atoms than any run has, twice: some versions list their POTCARs two times.
  private static let mostKinds = 512
  /// A word that is longer is no value of a setting; a line can hold a million signs of equality.
  private static let longestValue = 256
  /// Whether something is new that the elements follow from.
  private var hasNews = false

  mutating func begin(_ line: UnsafeBufferPointer<UInt8>, _ at: Int) {
    let words = line.trimmedText(from: at).split(separator: " ")
    table.program = "vasp"
    table.version = words.first.map { String($0.dropFirst("vasp.".count)) }
  }

  /// Takes a header line whose first letter stands at `at`.
  mutating func take(_ line: UnsafeBufferPointer<UInt8>, _ at: Int) {
    if isInsideIncar || pointsOpen, takeBlock(line, at) { return }
    if line.has("TITEL ", at: at), let behind = line.behind("=", from: at) {
      hasNews = Self.add(line.trimmedText(from: behind), to: &titles) || hasNews
    } else if line.has("POTCAR: ", at: at) {
      hasNews = Self.add(line.trimmedText(from: at + 8), to: &listed) || hasNews
    } else if line.has("VRHFIN", at: at), let behind = line.behind("=", from: at) {
      let name = String(line.trimmedText(from: behind).prefix { $0.isLetter })
      hasNews = Self.add(name, to: &valenceNames) || hasNews
    } else if line.has("ions per type", at: at), let behind = line.behind("=", from: at) {
      counts = line.trimmedText(from: behind).split(separator: " ").compactMap { Int($0) }
      // Sums of what no run has would overflow.
      if !counts.allSatisfy({ (0...Self.mostAtoms).contains($0) }) || counts.count > Self.mostKinds { counts = [] }
      hasNews = true
    } else if line.has("generate k-points for:", at: at) {
      let counts = line.trimmedText(from: at + 22).split(separator: " ").compactMap { Int($0) }
      if counts.count == 3, counts.allSatisfy({ $0 > 0 }) { divisions = counts }
    } else if line.has("CHAIN: Running the NEB", at: at) {
      // The climbing-image code names the images only where it names its optimizer.
      table.addUsed("IMAGES", "1")
    } else if line.has("INCAR:", at: at), line.trimmedText(from: at + 6).isEmpty {
      isInsideIncar = true
    } else if line.has("Following reciprocal coordinates:", at: at) {
      pointsOpen = points.isEmpty
    } else if line.has("|", at: at) || line.has("POSCAR:", at: at) || line.has("KPOINTS:", at: at) {
      // Advice in a box, or a comment of the user's: names there assign nothing.
    } else if line.has("LDA+U is selected", at: at) {
      table.addUsed("LDAU", "T")
      assign(line, at)
    } else if line.has("SYSTEM ", at: at), let behind = line.behind("=", from: at) {
      table.addUsed("SYSTEM", line.trimmedText(from: behind))
    } else {
      assign(line, at)
    }
    resolveSpecies()
  }

  /// False where there are too many already.
  private static func add(_ name: String, to names: inout [String]) -> Bool {
    guard names.count < mostKinds else { return false }
    names.append(name)
    return true
  }

  /// Rows of the INCAR that VASP 6 quotes, and of the list of k-points; false where the block is over.
  private mutating func takeBlock(_ line: UnsafeBufferPointer<UInt8>, _ at: Int) -> Bool {
    if isInsideIncar {
      guard !line.has("POTCAR:", at: at), !line.has("-----", at: at) else {
        isInsideIncar = false
        return false
      }
      table.listsWritten = true
      for (name, value) in IncarText.assignments(IncarText.withoutComment(line.trimmedText(from: at))) {
        table.addWritten(name, value)
      }
      return true
    }
    if line.has("Coordinates", at: at) { return true }
    var from = at
    guard let x = DecimalScanner.next(line, &from), let y = DecimalScanner.next(line, &from),
      let z = DecimalScanner.next(line, &from), let weight = DecimalScanner.next(line, &from),
      points.count < 1_000_000
    else {
      pointsOpen = false
      return false
    }
    points.append(Vector3(x, y, z))
    pointTotal += weight
    return true
  }

  private var mesh: KPointMesh? {
    guard let total = Int(exactly: pointTotal), total < 1_000_000 else { return nil }
    if let divisions {
      return KPointMesh(points: points, total: divisions.reduce(1, *), divisions: divisions)
    }
    return KPointMesh(points: points, total: total)
  }

  /// Takes every "NAME = value" of the line; the Hubbard lists keep all their numbers.
  private mutating func assign(_ line: UnsafeBufferPointer<UInt8>, _ start: Int) {
    var at = start
    while let behind = line.behind("=", from: at) {
      at = behind
      var high = behind - 1
      while high > start, line[high - 1] == 0x20 { high -= 1 }
      var low = high
      while low > start, Self.isNameByte(line[low - 1]) { low -= 1 }
      guard low < high, (0x41...0x5A).contains(line[low]) else { continue }
      let name = String(decoding: line[low..<high], as: UTF8.self)
      if name.hasPrefix("LDAU"), name.count == 5 {
        table.addUsed(name, line.trimmedText(from: behind))
        return
      }
      var from = behind
      while from < line.count, line[from] == 0x20 { from += 1 }
      var to = from
      while to < line.count, line[to] > 0x20, line[to] != 0x3B, to - from <= Self.longestValue { to += 1 }
      guard to > from, to - from <= Self.longestValue else { continue }
      let value = String(decoding: line[from..<to], as: UTF8.self)
      // The POTCARs are quoted before the settings and use two of their names for other things.
      if name == "ENMAX" || (name == "GGA" && value.contains(".")) { continue }
      // "METAGGA= F non-selfconsistent MetaGGA calc." is another switch, which vasprun.xml names rightly.
      let isSwitch = name == "METAGGA" && (value == "F" || value == "T")
      table.addUsed(isSwitch ? "LMETAGGA" : name, value)
      if ionCount == nil, name == "NIONS" {
        ionCount = table.integer("NIONS")
        hasNews = true
      }
    }
  }

  /// A setting that is printed behind the header.
  mutating func takeLate(_ line: UnsafeBufferPointer<UInt8>, _ at: Int) { assign(line, at) }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
  }

  /// Elements of all atoms once titles, counts and the number of ions are known and agree. VASP
  /// prints ten counts at most: an eleventh follows from the total, more do not.
  private mutating func resolveSpecies() {
    guard hasNews else { return }
    hasNews = false
    guard species.isEmpty, let ionCount, ionCount <= Self.mostAtoms, !counts.isEmpty else { return }
    let named = titlePerType
    let elements =
      named.isEmpty
      ? valenceNames.map { Element(symbol: $0) } : named.map { VASP.element(ofTitle: $0) }
    var perType = counts
    let missing = ionCount - counts.reduce(0, +)
    if missing > 0, counts.count == 10, elements.count == 11 { perType.append(missing) }
    guard perType.reduce(0, +) == ionCount, elements.count == perType.count else { return }
    var found: [Element] = []
    for (element, count) in zip(elements, perType) {
      guard let element, count >= 0 else { return }
      found.append(contentsOf: repeatElement(element, count: count))
    }
    species = found
  }

  /// POTCAR titles in species order. The "POTCAR:" lines come as one list and once more with each
  /// potential, so twice in all.
  private var titlePerType: [String] {
    if !titles.isEmpty || listed.isEmpty { return titles }
    guard listed.count % 2 == 0 else { return listed }
    let half = listed.count / 2
    if listed[..<half] == listed[half...] { return Array(listed[..<half]) }
    let even = stride(from: 0, to: listed.count, by: 2).map { listed[$0] }
    let odd = stride(from: 1, to: listed.count, by: 2).map { listed[$0] }
    return even == odd ? even : listed
  }

  func description() -> RunDescription {
    var run = RunDescription()
    run.species = species
    var table = table
    table.titles =
      counts.count < 10 ? Array(titlePerType.prefix(max(counts.count, 1))) : titlePerType
    table.kPoints = mesh?.words ?? table.integer("NKPTS").map(KPointMesh.words(points:))
    run.settings = table.settings()
    run.kind = table.kind
    run.written = table.written
    return run
  }
}
