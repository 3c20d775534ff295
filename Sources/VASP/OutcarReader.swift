// The bytes of an OUTCAR come in; its ionic steps come out, one by one, as the next one begins.

import Configurations
import Platform

/// Reads OUTCAR line by line. A step is closed where the next ionic iteration (or the file) begins or
/// ends, because VASP 4.6 and 5.2 print the energy before the forces and later versions after them.
public final class OutcarReader {
  private let name: String
  private let lines: LineScanner
  private var header = OutcarHeader()
  private var queue: [IonicStep] = []
  private var isOver = false
  private var stepCount = 0

  /// What was wrong with the file, as far as it has been read.
  public private(set) var diagnostics: [Diagnostic] = []

  /// True once the timing block that ends a run has been read.
  public private(set) var isComplete = false

  /// Whether anything that only an OUTCAR has was met.
  private var looksLikeOutcar = false

  private enum Mode {
    case searching
    /// Rows of "direct lattice vectors" still to come.
    case lattice(Int)
    /// A force table follows: read at once, row by row.
    case forces
    /// Lines of the energy block still to look at.
    case energy(Int)
    /// Rows of a magnetization table so far, negative in its heading.
    case moments(axis: Int, row: Int)
  }

  private var mode = Mode.searching
  private var cell: Matrix3?
  private var latticeRows: [Vector3] = []
  private var step = IonicStep(index: 0)
  private var learned = IonicStep(index: 0)
  /// Rows of the force table before.
  private var lastRowCount = 0
  private var tableIsLearned = false
  private var tableExtraColumns = 0
  private var energyIsLearned = false
  private var stressIsLearned = false
  private var moments: [[Double]] = [[], [], []]
  private var ionic: Int?
  private var electronic = 0
  /// Of the last electronic iteration.
  private var totalMoment: [Double]?
  private var notReached = false
  /// Whether steps of two jobs were found among each other.
  private var isInterleaved = false
  private var energyBlockOpen = false

  /// `name` is what provenance and messages call the source.
  public init(_ source: any ByteSource, name: String) {
    self.name = name
    lines = LineScanner(source, file: name)
  }

  /// The settings of the run, as far as it has been read.
  public var settings: CalculationSettings { header.description().settings }

  package var run: RunDescription { header.description() }

  /// Of one run in the file, as far as it has been read.
  package func run(ofPart part: Int) -> RunDescription {
    part < earlierRuns.count ? earlierRuns[part] : header.description()
  }

  private var remarks = StepRemarks()
  private var earlierRuns: [RunDescription] = []
  /// Why the whole file must be given up.
  private var refusal: Diagnostic?

  /// The next ionic step that is fit to be a configuration, nil at the end. Steps that are not are
  /// named in `diagnostics`.
  public func next() throws(Diagnostic) -> Configuration? {
    while let step = try nextStep() {
      do {
        return try step.configuration(source: name, carrying: carried(part: step.part))
      } catch {
        diagnostics.append(error)
      }
    }
    return nil
  }

  private var carriedProperties: [Int: [String: PropertyValue]] = [:]

  private func carried(part: Int) -> [String: PropertyValue] {
    if let known = carriedProperties[part] { return known }
    let carried = run(ofPart: part).carried
    carriedProperties[part] = carried
    return carried
  }

  /// The next ionic step, whatever it holds.
  package func nextStep() throws(Diagnostic) -> IonicStep? {
    while queue.isEmpty && !isOver {
      if let line = try lines.next() { take(line) } else { finish() }
      while case .forces = mode, !isOver, try takeForces() {}
      if let refusal { throw refusal }
    }
    return queue.isEmpty ? nil : queue.removeFirst()
  }

  private func finish() {
    isOver = true
    let openForces: Bool = if case .forces = mode { true } else { false }
    let openIteration = step.freeEnergy == nil && electronic > 0
    mode = .searching
    if energyBlockOpen { step.freeEnergy = nil }
    // The last step's moments are printed again, more exactly, at the end of a whole file.
    if !isComplete { moments = [[], [], []] }
    flush()
    if !looksLikeOutcar {
      diagnostics.append(
        Diagnostic(
          .error, code: "not-outcar", place: .init(file: name),
          cause: "nothing of an OUTCAR is in it.",
          remedy: "Check that this is an OUTCAR."))
    } else if !isComplete {
      let lost = openForces || openIteration ? "; the step it breaks off in was dropped" : ""
      diagnostics.append(
        Diagnostic(
          .warning, code: "truncated",
          place: .init(file: name, line: lines.line, ionicStep: stepCount),
          cause: "the file ends before the timing block\(lost).",
          remedy: "Give it again once the run has ended, or copy it again if it was cut."))
    }
  }

  // MARK: lines

  @inline(__always)
  private func take(_ line: UnsafeBufferPointer<UInt8>) {
    switch mode {
    case .searching: break
    case .lattice(let left):
      if takeLattice(line, left) { return }
    case .forces: break
    case .energy(let left):
      if takeEnergy(line, left) { return }
    case .moments(let axis, let row):
      if takeMoments(line, axis, row) { return }
    }
    search(line)
  }

  /// Looks for the start of something by the first letter of the line.
  @inline(__always)
  private func search(_ line: UnsafeBufferPointer<UInt8>) {
    var at = 0
    while at < line.count, line[at] == 0x20 { at += 1 }
    guard at < line.count else { return }
    switch line[at] {
    case 0x2D:  // -
      if let behind = line.behind("Iteration", from: at) {
        takeIteration(line, behind)
      } else if line.behind("aborting loop", from: at) != nil {
        // "EDIFF was not reached" in VASP 6, or a stop that the user asked for.
        notReached = line.behind("EDIFF is reached", from: at) == nil
      }
    case 0x68:  // h
      if line.has("hard stop encountered", at: at) { notReached = true }
    case 0x50:  // P
      if line.has("POSITION ", at: at), line.behind("TOTAL-FORCE (eV/Angst)", from: at) != nil {
        looksLikeOutcar = true
        tableIsLearned = line.behind("(ML)", from: at) != nil
        // Some versions print the forces without the van der Waals part beside those with it.
        tableExtraColumns = line.behind("FORCE-w/o vdW", from: at) != nil ? 3 : 0
        mode = .forces
        return
      }
    case 0x64:  // d
      if line.has("direct lattice vectors", at: at) {
        latticeRows.removeAll(keepingCapacity: true)
        mode = .lattice(3)
        return
      }
    case 0x69:  // i
      if line.has("in kB ", at: at) { takeStress(line, at + 5) }
    case 0x49:  // I
      // VASP 5 says which dispersion correction it adds only where it adds it first.
      if !header.isOpen, line.has("IVDW ", at: at) { header.takeLate(line, at) }
    case 0x46:  // F
      if line.has("FREE ENERGIE OF THE ION-ELECTRON SYSTEM", at: at) {
        energyIsLearned = false
        mode = .energy(8)
        return
      }
      if line.has("FORCE on cell", at: at) { stressIsLearned = false }
    case 0x4D:  // M
      if line.has("ML FORCE on cell", at: at) {
        stressIsLearned = true
        if step.freeEnergy != nil && step.forces != nil { flush() }
      } else if line.has("ML FREE ENERGIE", at: at) {
        energyIsLearned = true
        mode = .energy(8)
        return
      }
    case 0x6D:  // m
      if line.has("magnetization (", at: at), at + 15 < line.count {
        let axis = Int(line[at + 15]) - 0x78
        if (0...2).contains(axis) {
          moments[axis] = []
          mode = .moments(axis: axis, row: -3)
          return
        }
      }
    case 0x6E:  // n
      if line.has("number of electron ", at: at) { takeTotalMoment(line, at) }
    case 0x65:  // e
      // The second line of an OUTCAR; the first one may hang on the line in which another one broke off.
      if !header.isOpen, line.has("executed on ", at: at) {
        beginRun(line, nil)
      } else if line.has("enthalpy is  TOTEN", at: at), step.freeEnergy != nil,
        var behind = line.behind("P V=", from: at)
      {
        step.pressureWork = DecimalScanner.next(line, &behind) ?? 0
      } else if line.has("energy  without entropy=", at: at) {
        looksLikeOutcar = true
      }
    case 0x76:  // v
      if line.has("vasp.", at: at), at <= 1 { beginRun(line, at) }
    case 0x47:  // G
      if line.has("General timing and accounting", at: at) { isComplete = true }
    default: break
    }
    if header.isOpen { header.take(line, at) }
  }

  /// A file that broke off within this line may have another one behind it, without a line break: then
  /// nothing of the line may be used.
  private func beginsRunWithin(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let behind = line.behind("vasp."), behind < line.count, line[behind] &- 0x30 <= 9 else { return false }
    mode = .searching
    beginRun(line, behind - 5)
    return true
  }

  /// `at`: where the version stands, nil where it is not known.
  private func beginRun(_ line: UnsafeBufferPointer<UInt8>, _ at: Int?) {
    looksLikeOutcar = true
    if !isComplete { moments = [[], [], []] }
    if energyBlockOpen { step.freeEnergy = nil }
    flush()
    if header.table.version != nil || !header.isOpen {
      earlierRuns.append(header.description())
      let (earlier, place) = (earlierRuns.count, Diagnostic.Place(file: name, line: lines.line))
      refusal = SeveralRuns.refusal(earlier: earlier, at: place)
      let note = SeveralRuns.note(
        earlier: earlier, at: place,
        broken: isComplete ? nil : "the one before it breaks off without its timing block")
      diagnostics += note.map { [$0] } ?? []
    }
    ionic = nil
    isInterleaved = false
    electronic = 0
    notReached = false
    totalMoment = nil
    isComplete = false
    cell = nil
    header = OutcarHeader()
    if let at { header.begin(line, at) }
  }

  private func takeIteration(_ line: UnsafeBufferPointer<UInt8>, _ behind: Int) {
    looksLikeOutcar = true
    header.isOpen = false
    var at = behind
    while at < line.count, line[at] == 0x20 { at += 1 }
    let first = at
    var number = 0
    // A counter beyond its four columns is printed as asterisks: -1.
    while at < line.count, line[at] &- 0x30 <= 9 || line[at] == 0x2A {
      number =
        line[at] == 0x2A || number < 0 ? -1 : min(number * 10 + Int(line[at] &- 0x30), 1 << 40)
      at += 1
    }
    guard at > first, at < line.count, line[at] == 0x28 else { return }
    at += 1
    while at < line.count, line[at] == 0x20 { at += 1 }
    let restarts =
      number == -1 && at + 1 < line.count && line[at] == 0x31 && line[at + 1] == 0x29
    if number != ionic || restarts {
      // Response loops go back to step 1 from step 3 at most.
      if let ionic, ionic > 3, number > 0, number < ionic, !isInterleaved { noteInterleaved(number, behind: ionic) }
      flush()
      ionic = number
      electronic = 0
      notReached = false
    }
    electronic += 1
  }

  private func noteInterleaved(_ number: Int, behind earlier: Int) {
    isInterleaved = true
    diagnostics.append(
      Diagnostic(
        .warning, code: "interleaved", place: .init(file: name, line: lines.line, ionicStep: stepCount),
        cause: "ionic step \(number) comes behind step \(earlier): two jobs wrote into this file at the same time.",
        remedy: "Run one of them again in a folder of its own; what can be read of both was kept."))
  }

  /// "number of electron  40.0 magnetization  2.0", with three numbers or none behind it.
  private func takeTotalMoment(_ line: UnsafeBufferPointer<UInt8>, _ from: Int) {
    guard var at = line.behind("magnetization", from: from) else { return }
    var values: [Double] = []
    while values.count < 3, let value = DecimalScanner.next(line, &at) { values.append(value) }
    totalMoment = values.count == 1 || values.count == 3 ? values : nil
  }

  private func takeStress(_ line: UnsafeBufferPointer<UInt8>, _ from: Int) {
    if beginsRunWithin(line) { return }
    var at = from
    var v = [Double](repeating: .nan, count: 6)
    for k in 0..<6 {
      guard let value = DecimalScanner.next(line, &at) else { return noteStress() }
      v[k] = value
    }
    guard Self.isBlank(line, from: at), v.allSatisfy(\.isFinite) else { return noteStress() }
    // XX YY ZZ XY YZ ZX
    let stress = Matrix3([v[0], v[3], v[5]], [v[3], v[1], v[4]], [v[5], v[4], v[2]])
    if stressIsLearned { learned.stress = stress } else { step.stress = stress }
  }

  private func noteStress() {
    let step = stressIsLearned ? learned : step
    remarks.noteStress(
      .init(file: name, line: lines.line, ionicStep: step.index), "its line is not six numbers")
    diagnostics += remarks.take()
  }

  /// False where the line is no row.
  private func takeLattice(_ line: UnsafeBufferPointer<UInt8>, _ left: Int) -> Bool {
    mode = left > 1 ? .lattice(left - 1) : .searching
    guard let row = vectors(line) ?? Self.fixedColumns(line) else {
      // The lattice is another one now, and it is not known.
      cell = nil
      mode = .searching
      return false
    }
    latticeRows.append(row.0)
    if latticeRows.count == 3 { cell = Matrix3(latticeRows[0], latticeRows[1], latticeRows[2]) }
    return true
  }

  /// Two rows of three numbers, and as many more columns as the heading says.
  @inline(__always)
  private func vectors(_ line: UnsafeBufferPointer<UInt8>, more: Int = 0) -> (Vector3, Vector3)? {
    var at = 0
    guard let a = DecimalScanner.next(line, &at), let b = DecimalScanner.next(line, &at),
      let c = DecimalScanner.next(line, &at), let d = DecimalScanner.next(line, &at),
      let e = DecimalScanner.next(line, &at), let f = DecimalScanner.next(line, &at)
    else { return nil }
    for _ in 0..<more where DecimalScanner.next(line, &at) == nil { return nil }
    // One too many means that one of them fell apart, and which one cannot be told.
    guard Self.isBlank(line, from: at) else { return nil }
    return (Vector3(a, b, c), Vector3(d, e, f))
  }

  /// A row of the lattice whose columns run together: "0.000000000113.517567000". Each of the six is 13 wide with
  /// nine decimals, three blanks before the first and the fourth, so 100 Å fill one.
  private static func fixedColumns(_ line: UnsafeBufferPointer<UInt8>) -> (Vector3, Vector3)? {
    guard line.count >= 84, isBlank(line, from: 84) else { return nil }
    var values: [Double] = []
    for column in [3, 16, 29, 45, 58, 71] {
      let field = UnsafeBufferPointer(rebasing: line[column..<column + 13])
      guard field[3] == 0x2E, let value = DecimalScanner.whole(field) else { return nil }
      values.append(value)
    }
    return (Vector3(values[0], values[1], values[2]), Vector3(values[3], values[4], values[5]))
  }

  @inline(__always)
  private static func isBlank(_ line: UnsafeBufferPointer<UInt8>, from start: Int) -> Bool {
    var at = start
    while at < line.count, line[at] <= 0x20 { at += 1 }
    return at == line.count
  }

  /// The energy at `from`. What follows is its unit, the next energy or nothing: else the number fell
  /// apart, and nil is given.
  private static func energy(_ line: UnsafeBufferPointer<UInt8>, _ from: Int) -> Double? {
    var at = from
    guard let value = DecimalScanner.next(line, &at) else { return nil }
    DecimalScanner.skipBlanks(line, &at)
    let isWhole =
      isBlank(line, from: at) || line.has("eV", at: at) || line.has("energy", at: at)
      || line.has("ML energy", at: at)
    return isWhole ? value : nil
  }

  /// Reads the table whose heading has just been read, up to the rule below it. False where the file ends
  /// first.
  private func takeForces() throws(Diagnostic) -> Bool {
    guard let rule = try lines.next() else { return false }
    guard Self.isRule(rule) else { return leaveForces(rule) }
    let expected = header.ionCount
    var positions: [Vector3] = []
    var forces: [Vector3] = []
    positions.reserveCapacity(lastRowCount)
    forces.reserveCapacity(lastRowCount)
    while true {
      guard let line = try lines.next() else { return false }
      // Rows beyond the number of atoms are doubled, or another table's.
      let isOpen = forces.count != expected && forces.count < OutcarHeader.mostAtoms
      if isOpen, let (position, force) = vectors(line, more: tableExtraColumns) {
        positions.append(position)
        forces.append(force)
        continue
      }
      if Self.isRule(line) { break }
      // Fields that overflowed side by side cannot be told apart: no number, but still a row.
      guard isOpen, line.behind("**") != nil else { return leaveForces(line) }
      positions.append(.notANumber)
      forces.append(.notANumber)
    }
    mode = .searching
    lastRowCount = forces.count
    guard expected == nil || forces.count == expected else { return true }
    if tableIsLearned {
      learned.positions = positions
      learned.forces = forces
      learned.cell = cell
      learned.line = lines.line
    } else {
      if step.forces != nil { flush() }
      step.positions = positions
      step.forces = forces
      step.cell = cell
    }
    return true
  }

  /// Gives the table up at a line that is not of it.
  private func leaveForces(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    mode = .searching
    if !beginsRunWithin(line) { search(line) }
    return true
  }

  private static func isRule(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    var at = 0
    while at < line.count, line[at] == 0x20 { at += 1 }
    return line.has("-----", at: at)
  }

  private func takeEnergy(_ line: UnsafeBufferPointer<UInt8>, _ left: Int) -> Bool {
    mode = left > 1 ? .energy(left - 1) : .searching
    if beginsRunWithin(line) { return true }
    var at = 0
    while at < line.count, line[at] == 0x20 { at += 1 }
    // Two blanks: with one it is the energy of an electronic iteration.
    if line.has("free  energy", at: at), let behind = line.behind("TOTEN  =", from: at) {
      let value = Self.energy(line, behind)
      if energyIsLearned {
        learned.freeEnergy = value
      } else {
        if step.freeEnergy != nil { flush() }
        step.freeEnergy = value
        step.line = lines.line
        energyBlockOpen = true
      }
      return true
    }
    guard let first = line.behind("without entropy=", from: at) else {
      // The next iteration, or a table, may follow where the block breaks off.
      return false
    }
    mode = .searching
    let without = Self.energy(line, first)
    let zero = line.behind("(sigma->0) =", from: first).flatMap { Self.energy(line, $0) }
    if energyIsLearned {
      learned.energyWithoutEntropy = without
      learned.energySigmaZero = zero
      closeLearned()
    } else {
      step.energyWithoutEntropy = without
      step.energySigmaZero = zero
      energyBlockOpen = false
    }
    return true
  }

  private func takeMoments(_ line: UnsafeBufferPointer<UInt8>, _ axis: Int, _ row: Int) -> Bool {
    if row < 0 {
      mode = .moments(axis: axis, row: row + 1)
      return true
    }
    var at = 0
    guard let count = header.ionCount, row < count, let ion = DecimalScanner.next(line, &at),
      ion == Double(row + 1)
    else {
      mode = .searching
      return false
    }
    var last: Double?
    while let value = DecimalScanner.next(line, &at) { last = value }
    moments[axis].append(last ?? .nan)
    mode = row + 1 == count ? .searching : .moments(axis: axis, row: row + 1)
    return true
  }

  // MARK: steps

  /// Closes the step that is being read; without forces and energy there was none.
  private func flush() {
    defer {
      step = IonicStep(index: stepCount)
      moments = [[], [], []]
      totalMoment = nil
      energyBlockOpen = false
    }
    guard step.freeEnergy != nil || step.forces != nil else { return }
    // Every step prints its lattice: the last one's would be wrong where that is missing.
    cell = nil
    step.index = stepCount
    step.part = earlierRuns.count
    step.species = header.species
    step.electronicSteps = electronic
    step.totalMoment = totalMoment
    step.converged =
      notReached ? false : header.table.converged(after: electronic)
    if let count = header.ionCount, count > 0, moments[0].count == count {
      if moments[1].count == count && moments[2].count == count {
        step.momentColumns = 3
        step.moments = (0..<count).flatMap { [moments[0][$0], moments[1][$0], moments[2][$0]] }
      } else if moments[1].isEmpty {
        step.moments = moments[0]
      }
    }
    stepCount += 1
    queue.append(step)
  }

  private func closeLearned() {
    defer { learned = IonicStep(index: 0) }
    guard learned.forces != nil else { return }
    learned.index = stepCount
    learned.machineLearned = true
    learned.part = earlierRuns.count
    learned.species = header.species
    stepCount += 1
    queue.append(learned)
  }
}

extension Vector3 {
  static var notANumber: Vector3 { Vector3(repeating: .nan) }
}
