import Configurations
import Platform

/// Brings the vasprun.xml and the OUTCAR of one run together: one run is one source, however many
/// files tell of it.
enum RunPairing {
  enum Verdict: Equatable {
    case same
    /// Most of their steps agree, some do not.
    case contradictory
    case different(String)
    /// They share no step and contradict each other in nothing.
    case undecided
  }

  /// Energies of both files are printed with at least six decimals, eV.
  static let tolerance = 2.1e-6
  /// Forces of both files are printed with at least six decimals, eV/Å; a digit gone wrong is larger.
  static let forceTolerance = 1e-4

  /// Judges by content: species, and the energies of the electronic-structure steps one by one.
  static func compare(_ a: FileReading, _ b: FileReading) -> Verdict {
    if !a.run.species.isEmpty, !b.run.species.isEmpty, a.run.species != b.run.species {
      return .different("their species differ")
    }
    let x = a.steps.filter { !$0.machineLearned }
    let y = b.steps.filter { !$0.machineLearned }
    var agreed = 0
    var differing = 0
    var first: String?
    for (k, (p, q)) in zip(x, y).enumerated() {
      guard let e = p.freeEnergy, let f = q.freeEnergy, e.isFinite, f.isFinite else { continue }
      if abs(e - f) > tolerance {
        differing += 1
        first = first ?? "their energies differ at step \(k): \(e) and \(f) eV"
      } else {
        agreed += 1
      }
    }
    guard let first else { return agreed > 0 ? .same : .undecided }
    // Three of four: a bad copy spoils single numbers, another run most of them.
    return agreed >= 3 * differing ? .contradictory : .different(first)
  }

  /// Whether two readings are beyond doubt the two files of one run: directory, names and content.
  static func areTwins(_ a: FileReading, _ b: FileReading) -> Bool {
    a.format != b.format && a.format != .run && b.format != .run && a.directory == b.directory
      && a.residue == b.residue && !a.isFailed && !b.isFailed && compare(a, b) == .same
  }

  /// All readings of one directory, in order, with pairs merged in the place of their vasprun.xml.
  static func pair(_ readings: [FileReading]) -> [FileReading] {
    let usable = readings.filter { !$0.isFailed }
    let sheets = usable.filter { $0.format == .outcar }
    let trees = usable.filter { $0.format == .vasprun }
    var partner: [String: FileReading] = [:]
    var taken: Set<String> = []
    // Names settle only what content leaves open.
    let ids = sheets.map(\.id)
    let residues = sheets.map(\.residue)
    for (sameResidue, wanted) in [(true, Verdict.same), (false, .same), (true, .contradictory)] {
      for tree in trees where partner[tree.id] == nil {
        let residue = tree.residue
        let found = sheets.indices.first { k in
          !taken.contains(ids[k]) && (!sameResidue || residues[k] == residue) && compare(tree, sheets[k]) == wanted
        }
        if let match = found.map({ sheets[$0] }) {
          partner[tree.id] = match
          taken.insert(match.id)
        }
      }
    }
    let isSolePair = trees.count == 1 && sheets.count == 1 && taken.isEmpty
    if isSolePair, compare(trees[0], sheets[0]) == .undecided {
      partner[trees[0].id] = sheets[0]
      taken.insert(sheets[0].id)
    }
    return readings.filter { !taken.contains($0.id) }.map { reading in
      if let sheet = partner[reading.id] { return merge(reading, sheet) }
      var reading = reading
      if isSolePair, reading.format == .vasprun, case .different(let why) = compare(trees[0], sheets[0]) {
        reading.diagnostics.append(
          Diagnostic(
            .warning, code: "different-runs", place: .init(file: reading.name),
            cause: "\(sheets[0].name) beside it is of another run: \(why).",
            remedy: "Both were read as sources of their own; put the files of each run into a folder of its own."))
      }
      return reading
    }
  }

  /// vasprun.xml speaks first (eight decimals, every step); OUTCAR adds what it lacks.
  static func merge(_ tree: FileReading, _ sheet: FileReading) -> FileReading {
    var merged = tree
    merged.format = .run
    merged.digests += sheet.digests
    merged.files += sheet.files
    merged.isComplete = tree.isComplete || sheet.isComplete
    if merged.run.species.isEmpty {
      merged.run.species = sheet.run.species
      for k in merged.steps.indices { merged.steps[k].species = sheet.run.species }
    }
    merged.run.settings.fill(from: sheet.run.settings)
    merged.run.kind = merged.run.kind ?? sheet.run.kind
    if merged.run.written.isEmpty { merged.run.written = sheet.run.written }
    let others = sheet.steps.filter { !$0.machineLearned }
    var k = 0
    for i in merged.steps.indices where !merged.steps[i].machineLearned {
      defer { k += 1 }
      guard k < others.count else { break }
      merged.steps[i].check(against: others[k], tree.name, sheet.name)
      merged.steps[i].fill(from: others[k])
    }
    let own = merged.steps.count
    for other in k < others.count ? others[k...] : [] {
      var step = other
      step.index = merged.steps.count
      if step.species.isEmpty { step.species = merged.run.species }
      merged.steps.append(step)
      if let key = step.key { merged.keys.insert(key) }
    }
    let filled = merged.steps.count - own
    if filled > 0 || merged.closing == nil {
      if let closing = sheet.closing { merged.closing = closing }
    }
    if merged.opening == nil { merged.opening = sheet.opening }
    merged.diagnostics = diagnostics(tree, sheet, filled)
    return merged
  }

  /// A break that the other file makes good is no longer a warning.
  private static func diagnostics(_ tree: FileReading, _ sheet: FileReading, _ filled: Int) -> [Diagnostic] {
    let breaks = ["truncated", "malformed-xml"]
    var said = tree.diagnostics.map { diagnostic -> Diagnostic in
      guard breaks.contains(diagnostic.code), sheet.isComplete else { return diagnostic }
      var made = diagnostic
      made.severity = .note
      made.code = "completed"
      made.cause += " \(sheet.name) is whole and gave \(filled == 1 ? "1 step" : "\(filled) steps") behind it."
      return made
    }
    said += sheet.diagnostics.map { diagnostic in
      guard breaks.contains(diagnostic.code), tree.isComplete else { return diagnostic }
      var made = diagnostic
      made.severity = .note
      made.code = "completed"
      made.cause += " \(tree.name) is whole."
      return made
    }
    let (x, y) = (tree.steps.count { !$0.machineLearned }, sheet.steps.count { !$0.machineLearned })
    if tree.isComplete, sheet.isComplete, tree.run.kind?.isTrajectory == true, x != y, x > 0, y > 0 {
      said.append(
        Diagnostic(
          .warning, code: "steps-differ", place: .init(file: tree.name),
          cause: "\(x) ionic steps are in it but \(y) in \(sheet.name), and both files are whole.",
          remedy: "Check that both are of the same run; the steps of both were taken."))
    }
    return said
  }
}

extension IonicStep {
  /// Notes where two files of one run say different things of this step.
  fileprivate mutating func check(against other: IonicStep, _ name: String, _ otherName: String) {
    func contradicts(_ what: String, _ mine: String, _ theirs: String) -> Diagnostic {
      Diagnostic(
        .warning, code: "contradiction", place: .init(file: name, line: line, ionicStep: index),
        cause: "\(what) \(mine) here and \(theirs) in \(otherName)\(other.line.map { ":\($0)" } ?? ""). "
          + "The step was left out.",
        remedy: "Copy both files again from where the run was made.")
    }
    guard let e = freeEnergy, let f = other.freeEnergy, e.isFinite, f.isFinite else { return }
    guard abs(e - f) <= RunPairing.tolerance else {
      contradiction = contradicts("its energy is", "\(e)", "\(f) eV")
      return
    }
    witnesses += 1
    guard let mine = forces, let theirs = other.forces, mine.count == theirs.count else { return }
    for (atom, (a, b)) in zip(mine, theirs).enumerated() {
      for k in 0..<3 where a[k].isFinite && b[k].isFinite && !(abs(a[k] - b[k]) <= RunPairing.forceTolerance) {
        contradiction = contradicts("the force on atom \(atom + 1) is", "\(a[k])", "\(b[k]) eV/Å")
        return
      }
    }
  }

  fileprivate mutating func fill(from other: IonicStep) {
    // Only OUTCAR says that a loop was stopped by hand or that the criterion was missed.
    if converged == nil || other.converged == false { converged = other.converged }
    if stress == nil { stress = other.stress }
    if forces == nil, positions != nil, other.forces?.count == positions?.count {
      forces = other.forces
    }
    if positions == nil {
      positions = other.positions
      cell = other.cell
      forces = other.forces
    }
    if moments == nil {
      moments = other.moments
      momentColumns = other.momentColumns
    }
    totalMoment = totalMoment ?? other.totalMoment
    electronicSteps = electronicSteps ?? other.electronicSteps
    if freeEnergy == nil {
      freeEnergy = other.freeEnergy
      energyWithoutEntropy = other.energyWithoutEntropy
      energySigmaZero = other.energySigmaZero
    }
  }
}

extension CalculationSettings {
  /// Takes from `other` what this does not say.
  mutating func fill(from other: CalculationSettings) {
    program = program ?? other.program
    version = version ?? other.version
    functional = functional ?? other.functional
    planeWaveCutoff = planeWaveCutoff ?? other.planeWaveCutoff
    pseudopotentials = pseudopotentials ?? other.pseudopotentials
    kPoints = kPoints ?? other.kPoints
    spinPolarised = spinPolarised ?? other.spinPolarised
    nonCollinear = nonCollinear ?? other.nonCollinear
    spinOrbit = spinOrbit ?? other.spinOrbit
    hubbardU = hubbardU ?? other.hubbardU
    dispersion = dispersion ?? other.dispersion
    smearing = smearing ?? other.smearing
    self.other.merge(other.other) { mine, _ in mine }
  }
}
