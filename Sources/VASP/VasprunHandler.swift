import CLibXML2
import Configurations
import Glibc

/// Receives libxml2's events and keeps only what a step or the settings need. Everything else
/// (eigenvalues, densities of states, projections) passes by at the cost of a counter.
///
/// A struct behind a pointer, because every event of a big file goes through it and the access checks
/// of a class would cost as much as the parser itself. The reader that owns it calls `destroy()`.
struct VasprunHandler {
  /// What the rows or the text being read are for.
  private enum Target: UInt8 {
    case nothing
    case basis
    case positions
    case forces
    case stress
    case selective
    case kpointList
    case atoms
    case atomTypes
    case totalEnergy
    case withoutEntropy
    case zeroEnergy
    case generator
    case written
    case used
    case kpointDivisions
    case kpointShift
  }

  private static let maximumDepth = OpenTags.capacity

  /// More atoms than any run has; a table beyond it is damage and would only cost memory.
  private static let mostRows = 10_000_000

  private let file: String
  var context: xmlParserCtxtPtr?
  private(set) var sawRoot = false
  private(set) var sawEnd = false
  private(set) var stepCount = 0
  private(set) var refusal: Diagnostic?
  var steps: [IonicStep] = []
  /// What was left out of steps that are used.
  var remarks = StepRemarks()

  private var open = OpenTags()
  /// Depth inside an element that does not matter; 0 outside.
  private var skipped = 0
  private var rowsOf = Target.nothing
  private var textOf = Target.nothing
  private var capturing = false
  /// Whether something stands inside the text being read: its two sides may not be joined to one number.
  private var isInterrupted = false
  private var text = TextBuffer()
  private var itemName = ""

  // The step, or the machine-learned step outside <calculation>, being read.
  private var step = IonicStep(index: 0)
  private var iterations = 0
  private var basis: [Vector3] = []
  private var fractional: [Vector3] = []
  private var forces: [Vector3] = []
  private var stress: [Vector3] = []
  private var selective: [Bool] = []
  private var blockEnergies: (free: Double?, second: Double?, zero: Double?) = (nil, nil, nil)
  private var insideNamedStructure = false
  /// PSTRESS, kB, once a step has asked for it.
  private var pressure: Double?

  // The run.
  private var table = SettingsTable()
  private var row: [String] = []
  private var symbols: [(symbol: String, type: Int)] = []
  private var types: [(count: Int, symbol: String, title: String)] = []
  private var species: [Element] = []
  private var movable: [Bool]?
  private var kPointCount = 0
  private var kPointGeneration: String?
  private var kPointDivisions: String?
  private var kPointShift: String?
  private var sawKPoints = false

  /// What is taken out of the text before the parser sees it. The reader's: it outlives a run.
  var plainRows: PlainRows

  /// Which run of the file this is.
  private let part: Int

  /// - Parameters:
  ///   - part: which run of the file it is.
  ///   - stepCount: steps of the runs before it.

  init(file: String, plainRows: PlainRows, part: Int = 0, stepCount: Int = 0) {
    self.file = file
    self.plainRows = plainRows
    self.part = part
    self.stepCount = stepCount
  }

  mutating func destroy() { text.deallocate() }

  // MARK: the run

  func description() -> RunDescription {
    var run = RunDescription()
    run.species = species
    var table = table
    table.titles = types.map(\.title)
    table.kPoints =
      kPointMesh?.words ?? (kPointCount > 0 ? KPointMesh.words(points: kPointCount) : nil)
    table.listsWritten = true
    run.settings = table.settings()
    run.kind = table.kind
    run.written = table.written
    return run
  }

  private var kPointMesh: KPointMesh? {
    func numbers(_ text: String?) -> [Double] {
      (text ?? "").split(separator: " ").compactMap { DecimalScanner.number($0) }
    }
    let divisions = numbers(kPointDivisions).compactMap { Int(exactly: $0) }
    guard divisions.count == 3, divisions.allSatisfy({ $0 > 0 }) else { return nil }
    let shift = numbers(kPointShift)
    if shift.count == 3 { return KPointMesh(divisions: divisions, shift: shift) }
    let isMonkhorst = kPointGeneration?.hasPrefix("M") == true
    return KPointMesh(
      divisions: divisions, shift: divisions.map { isMonkhorst && $0 % 2 == 0 ? 0.5 : 0 })
  }

  /// Elements come from the POTCAR title of each type: the symbols of some versions are cut ("r" for
  /// Zr) or wrong ("X" for Xe).
  private mutating func resolveSpecies() {
    let byType = types.map { element(ofTitle: $0.title) ?? Element(symbol: $0.symbol) }
    // A type that is missing or there twice would give the atoms behind it wrong elements.
    var counts = [Int](repeating: 0, count: types.count)
    var isKnown = true
    for (_, type) in symbols {
      if counts.indices.contains(type - 1) { counts[type - 1] += 1 } else { isKnown = false }
    }
    guard types.isEmpty || symbols.isEmpty || isKnown && counts == types.map(\.count) else {
      species = []
      return
    }
    var found: [Element] = []
    for (symbol, type) in symbols {
      let ofType = type >= 1 && type <= byType.count ? byType[type - 1] : nil
      guard let element = ofType ?? Element(symbol: symbol) else {
        species = []
        return
      }
      found.append(element)
    }
    species = found
  }

  // MARK: events

  mutating func start(_ name: UnsafePointer<UInt8>, _ attributes: Attributes) {
    if skipped > 0 {
      skipped += 1
      if skipped + open.count > Self.maximumDepth { refuseDepth() }
      return
    }
    if capturing { isInterrupted = true }
    guard !capturing, let tag = VasprunTag.named(name) else {
      skipped = 1
      if skipped + open.count > Self.maximumDepth { refuseDepth() }
      return
    }
    let parent = open.last
    if open.count == Self.maximumDepth {
      refuseDepth()
      return
    }
    open.append(tag)
    switch tag {
    case .modeling:
      sawRoot = true
    case .calculation:
      sawRoot = true
      step = IonicStep(index: stepCount)
      step.line = context.map { Int($0.pointee.input.pointee.line) }
      iterations = 0
      blockEnergies = (nil, nil, nil)
    case .scstep:
      iterations += 1
      skip()
    case .structure:
      // A name marks the first, the last or the primitive cell; a step's structure has none, but for
      // files cut together by hand, where it stands inside <calculation>.
      insideNamedStructure = attributes.has("name") && !open.contains(.calculation)
      basis.removeAll(keepingCapacity: true)
      fractional.removeAll(keepingCapacity: true)
      selective.removeAll(keepingCapacity: true)
    case .varray: startRows(attributes, parent)
    case .v: startRow(attributes)
    case .i: startItem(attributes, parent)
    case .array:
      rowsOf =
        attributes.equals("name", "atoms")
        ? .atoms : attributes.equals("name", "atomtypes") ? .atomTypes : .nothing
      if rowsOf == .nothing { skip() }
      if rowsOf == .atoms { symbols = [] }
      if rowsOf == .atomTypes { types = [] }
    case .rc: row.removeAll(keepingCapacity: true)
    case .c: capture(rowsOf)
    case .kpoints:
      if sawKPoints { skip() } else { sawKPoints = true }
    case .generation:
      kPointGeneration = attributes.value("param")
    default: break
    }
  }

  mutating func end() {
    if skipped > 0 {
      skipped -= 1
      guard skipped == 0, skippedIsOpen else { return }
      skippedIsOpen = false
    }
    guard let tag = open.popLast() else { return }
    switch tag {
    case .v: endRow()
    case .i, .c: endText()
    case .rc: endTableRow()
    case .varray:
      if rowsOf == .forces {
        step.forces = forces
        forces = []
      } else if rowsOf == .stress {
        let isWhole = stress.count == 3 && stress.allSatisfy(\.isFinite)
        step.stress = isWhole ? Matrix3(stress[0], stress[1], stress[2]) : nil
        if !isWhole { noteStress() }
      }
      rowsOf = .nothing
    case .array:
      rowsOf = .nothing
      resolveSpecies()
    case .structure: endStructure()
    case .energy:
      if open.last == .modeling { endMachineLearnedStep() }
    case .calculation: endCalculation()
    case .modeling: sawEnd = true
    default: break
    }
  }

  mutating func characters(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    if capturing && skipped == 0 {
      text.append(bytes, count)
    }
  }

  /// A comment or an instruction.
  mutating func interrupt() { if capturing { isInterrupted = true } }

  private mutating func noteStress() {
    let line = context.map { Int($0.pointee.input.pointee.line) }
    let reason =
      stress.count == 3
      ? "its rows are not three numbers each"
      : "it has \(stress.count > 3 ? "more than 3" : "\(stress.count)") rows, not 3"
    remarks.noteStress(.init(file: file, line: line, ionicStep: step.index), reason)
  }

  /// Takes the rows in whose place "<?rows NUMBER?>" stands.
  mutating func instruction(_ target: UnsafePointer<UInt8>, _ data: UnsafePointer<UInt8>) {
    interrupt()
    guard strcmp(target, "rows") == 0, let number = Int(String(cString: data)) else { return }
    let rows = plainRows.rows(number)
    guard skipped == 0, open.last == .varray else { return }
    switch rowsOf {
    case .basis: Self.append(rows, to: &basis, atMost: 4)
    case .positions: Self.append(rows, to: &fractional, atMost: Self.mostRows)
    case .forces: Self.append(rows, to: &forces, atMost: Self.mostRows)
    case .stress: Self.append(rows, to: &stress, atMost: 4)
    default: break
    }
  }

  private static func append(_ rows: [Vector3], to table: inout [Vector3], atMost limit: Int) {
    if table.isEmpty, rows.count <= limit {
      table = rows
    } else {
      table.append(contentsOf: rows.prefix(limit - min(limit, table.count)))
    }
  }

  mutating func refuse(_ code: String, _ cause: String) {
    guard refusal == nil else { return }
    refusal = Diagnostic(
      .error, code: code,
      place: .init(file: file, line: context.map { Int($0.pointee.input.pointee.line) }),
      cause: cause, remedy: "vasprun.xml as VASP writes it has none of this; do not trust the file."
    )
    if let context { xmlStopParser(context) }
  }

  private mutating func refuseDepth() {
    refuse("xml-depth", "elements are nested deeper than \(Self.maximumDepth).")
  }

  // MARK: skipping

  /// True while the element that is being skipped is on `open`.
  private var skippedIsOpen = false

  /// Skips what is inside the element that has just been opened.
  private mutating func skip() {
    skipped = 1
    skippedIsOpen = true
  }

  // MARK: rows of numbers

  private mutating func startRows(_ attributes: Attributes, _ parent: VasprunTag?) {
    rowsOf = .nothing
    switch parent {
    case .structure, .crystal:
      if attributes.equals("name", "basis") {
        rowsOf = .basis
      } else if attributes.equals("name", "positions") {
        rowsOf = .positions
      } else if attributes.equals("name", "selective") {
        rowsOf = .selective
      }
    case .calculation, .modeling:
      if attributes.equals("name", "forces") {
        rowsOf = .forces
        forces = []
      } else if attributes.equals("name", "stress") {
        rowsOf = .stress
        stress.removeAll(keepingCapacity: true)
      }
    case .kpoints:
      if attributes.equals("name", "kpointlist") { rowsOf = .kpointList }
    default: break
    }
    if rowsOf == .nothing { skip() }
  }

  private mutating func startRow(_ attributes: Attributes) {
    if rowsOf != .nothing {
      if rowsOf != .kpointList { capture(rowsOf) }
    } else if open.contains(.parameters) {
      itemName = attributes.value("name") ?? ""
      capture(.used)
    } else if open.contains(.incar) {
      itemName = attributes.value("name") ?? ""
      capture(.written)
    } else if open.contains(.generation), attributes.equals("name", "divisions") {
      capture(.kpointDivisions)
    } else if open.contains(.generation), attributes.equals("name", "shift") {
      capture(.kpointShift)
    }
  }

  private mutating func capture(_ target: Target) {
    textOf = target
    capturing = target != .nothing
    isInterrupted = false
    text.clear()
  }

  private mutating func endRow() {
    if rowsOf == .kpointList {
      kPointCount += 1
      return
    }
    guard capturing else { return }
    capturing = false
    switch textOf {
    case .basis: if basis.count < 4 { basis.append(vector()) }
    case .positions: if fractional.count < Self.mostRows { fractional.append(vector()) }
    case .forces: if forces.count < Self.mostRows { forces.append(vector()) }
    case .stress: if stress.count < 4 { stress.append(vector()) }
    case .selective:
      guard selective.count < 3 * Self.mostRows else { return }
      guard !isInterrupted else { return }
      for byte in text.bytes where byte == 0x54 || byte == 0x46 { selective.append(byte == 0x54) }
    default: endText(captured: true)
    }
  }

  /// The three numbers of the row; NaN for a row that is not three numbers.
  private func vector() -> Vector3 {
    if isInterrupted { return .notANumber }
    let bytes = text.bytes
    var at = 0
    guard let x = DecimalScanner.next(bytes, &at), let y = DecimalScanner.next(bytes, &at),
      let z = DecimalScanner.next(bytes, &at)
    else { return .notANumber }
    while at < bytes.count {
      if bytes[at] > 0x20 { return .notANumber }
      at += 1
    }
    return Vector3(x, y, z)
  }

  // MARK: items

  private mutating func startItem(_ attributes: Attributes, _ parent: VasprunTag?) {
    switch parent {
    case .energy:
      if attributes.equals("name", "e_fr_energy") {
        capture(.totalEnergy)
      } else if attributes.equals("name", "e_wo_entrp") {
        capture(.withoutEntropy)
      } else if attributes.equals("name", "e_0_energy") {
        capture(.zeroEnergy)
      }
    case .generator:
      itemName = attributes.value("name") ?? ""
      capture(.generator)
    case .incar:
      itemName = attributes.value("name") ?? ""
      capture(.written)
    case .parameters, .separator:
      itemName = attributes.value("name") ?? ""
      capture(open.contains(.parameters) ? .used : .nothing)
    default: break
    }
  }

  private mutating func endText(captured: Bool = false) {
    guard capturing || captured else { return }
    capturing = false
    switch textOf {
    case .totalEnergy: blockEnergies.free = number()
    case .withoutEntropy: blockEnergies.second = number()
    case .zeroEnergy: blockEnergies.zero = number()
    case .atoms, .atomTypes: row.append(trimmed())
    case .used: table.addUsed(itemName, trimmed())
    case .written: table.addWritten(itemName, trimmed())
    case .kpointDivisions:
      kPointDivisions = trimmed().split(separator: " ").joined(separator: " ")
    case .kpointShift: kPointShift = trimmed()
    case .generator:
      if itemName == "version" { table.version = trimmed() }
      if itemName == "program" { table.program = trimmed() }
    default: break
    }
  }

  /// The number that the whole text is; NaN for more than one.
  private func number() -> Double? {
    if isInterrupted { return .nan }
    let bytes = text.bytes
    var at = 0
    guard let value = DecimalScanner.next(bytes, &at) else { return nil }
    while at < bytes.count {
      if bytes[at] > 0x20 { return .nan }
      at += 1
    }
    return value
  }

  private func trimmed() -> String {
    if isInterrupted { return "" }
    return text.bytes.trimmedText(from: 0)
  }

  private mutating func endTableRow() {
    switch rowsOf {
    case .atoms:
      guard symbols.count < Self.mostRows else { return }
      symbols.append((row.first ?? "", row.count > 1 ? Int(row[1]) ?? 0 : 0))
    case .atomTypes:
      guard types.count < Self.mostRows else { return }
      types.append(
        (
          row.first.flatMap { Int($0) } ?? 0, row.count > 1 ? row[1] : "",
          row.count > 4 ? row[4].split(separator: " ").joined(separator: " ") : ""
        ))
    default: break
    }
  }

  // MARK: steps

  private mutating func endStructure() {
    if !selective.isEmpty { movable = selective }
    if insideNamedStructure {
      insideNamedStructure = false
      return
    }
    guard basis.count == 3 else { return }
    let cell = Matrix3(basis[0], basis[1], basis[2])
    if open.last == .modeling {
      // A machine-learned step begins with its structure.
      step = IonicStep(index: stepCount)
      step.machineLearned = true
      step.line = context.map { Int($0.pointee.input.pointee.line) }
      iterations = 0
      blockEnergies = (nil, nil, nil)
    }
    step.cell = cell
    step.positions = fractional.map { $0 * cell }
  }

  private mutating func endCalculation() {
    step.converged = table.converged(after: iterations)
    closeStep()
  }

  private mutating func endMachineLearnedStep() {
    if step.machineLearned, step.positions != nil { closeStep() }
    step = IonicStep(index: stepCount)
    blockEnergies = (nil, nil, nil)
  }

  private mutating func closeStep() {
    let (free, second, zero) = blockEnergies
    step.freeEnergy = free
    if isMislabelled(free, second, zero) {
      step.energySigmaZero = second
      step.energyWithoutEntropy = free.flatMap { f in zero.map { f - $0 } }
    } else {
      step.energyWithoutEntropy = second
      step.energySigmaZero = zero
    }
    if !step.machineLearned { removePressureWork() }
    step.species = species
    step.selective = movable
    step.part = part
    step.electronicSteps = iterations
    stepCount += 1
    steps.append(step)
    step = IonicStep(index: stepCount)
  }

  /// With PSTRESS the step's energies are enthalpies: pressure times volume is on top of what the forces and
  /// the stress are derivatives of. OUTCAR prints both.
  private mutating func removePressureWork() {
    let pressure = self.pressure ?? table.real("PSTRESS") ?? 0
    self.pressure = pressure
    guard pressure != 0 else { return }
    guard let cell = step.cell else {
      // Without a volume nobody can tell how much of them is energy.
      (step.freeEnergy, step.energyWithoutEntropy, step.energySigmaZero) = (nil, nil, nil)
      return
    }
    let work = pressure * abs(cell.determinant) / IonicStep.pressureUnit
    step.pressureWork = work
    step.freeEnergy = step.freeEnergy.map { $0 - work }
    step.energyWithoutEntropy = step.energyWithoutEntropy.map { $0 - work }
    step.energySigmaZero = step.energySigmaZero.map { $0 - work }
  }

  /// Before VASP 6.1 the step block's "e_wo_entrp" holds E(sigma->0) and its "e_0_energy" holds F - E
  /// (https://www.vasp.at/forum/viewtopic.php?t=17839). Without a version the numbers tell: an
  /// extrapolated energy lies between the other two.
  private func isMislabelled(_ free: Double?, _ second: Double?, _ zero: Double?) -> Bool {
    let parts = (table.version ?? "").split(separator: ".")
    if parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1]) {
      return (major, minor) < (6, 1)
    }
    guard let free, let second, let zero else { return false }
    return zero < min(free, second) - 1e-6 || zero > max(free, second) + 1e-6
  }
}
