// A run and the small files beside it come in; the run with what they add, and what they contradict, goes out.

import Configurations

/// Holds a run against OSZICAR, CONTCAR, POSCAR, INCAR, KPOINTS and POTCAR of its folder. vasprun.xml and
/// OUTCAR always win; the others fill what both leave open, and say so where they disagree.
struct RunChecks {
  private(set) var reading: FileReading

  static func apply(_ companions: [RunCompanion], to reading: FileReading) -> FileReading {
    var checks = RunChecks(reading: reading)
    for companion in companions.sorted(by: { $0.name < $1.name }) {
      let taken: Bool
      switch companion.content {
      case .oszicar(let steps): taken = checks.hold(steps, companion)
      case .final(let structure): taken = checks.hold(final: structure, companion)
      case .initial(let structure): taken = checks.hold(initial: structure, companion)
      case .incar(let tags): taken = checks.hold(tags, companion)
      case .kPoints(let points): taken = checks.hold(points, companion)
      case .potcar(let titles): taken = checks.hold(titles, companion)
      }
      // A file that only confirms leaves the source what it was.
      if taken {
        checks.reading.files.append(companion.name)
        checks.reading.digests.append(companion.digest)
      }
    }
    return checks.reading
  }

  /// The runs of some folders, counted once for all: a file can hold thousands of them.
  struct Neighbours {
    /// Of each folder, those that can be used.
    private(set) var count: [String: Int] = [:]
    /// The last one of each file.
    private(set) var lastPart: [String: Int] = [:]

    init(_ runs: [FileReading]) {
      for run in runs {
        if !run.isFailed { count[run.directory, default: 0] += 1 }
        lastPart[run.name] = max(run.part, lastPart[run.name] ?? 0)
      }
    }
  }

  /// Those of a folder's small files that speak of a run called so: of its own name, or, of the inputs that
  /// restarts share, the plain one.
  static func companions(_ all: [RunCompanion], of reading: FileReading, among runs: Neighbours) -> [RunCompanion] {
    let here = all.filter { $0.directory == reading.directory }
    if here.isEmpty { return [] }
    let isSole = runs.count[reading.directory] == 1
    let names = Set(reading.files.map(RunNames.residue))
    return here.filter { companion in
      if names.contains(companion.residue) {
        // OSZICAR and CONTCAR are those of the last run where several were written into one file.
        return companion.isInput
          || runs.lastPart[reading.name] == reading.part
      }
      // OUTCAR.Al is no restart of what INCAR was written for.
      guard companion.residue.isEmpty, isSole || names.contains(where: { RunNames.turn(residue: $0) != nil })
      else { return false }
      if isSole { return true }
      return companion.isInput && !here.contains { names.contains($0.residue) && $0.kind == companion.kind }
    }
  }

  private mutating func warn(
    _ code: String, _ companion: RunCompanion, line: Int? = nil, step: Int? = nil, _ cause: String, _ remedy: String
  ) {
    reading.diagnostics.append(
      Diagnostic(
        .warning, code: code, place: .init(file: companion.name, line: line, ionicStep: step), cause: cause,
        remedy: remedy))
  }

  // MARK: OSZICAR

  private mutating func hold(_ all: [OszicarStep], _ companion: RunCompanion) -> Bool {
    // Machine-learned steps stand in OSZICAR in ways that differ between versions, and its energies of a band's
    // images contain the springs.
    guard reading.run.kind != .nudgedElasticBand, !all.isEmpty, !reading.steps.isEmpty,
      !reading.steps.contains(where: \.machineLearned)
    else { return false }
    var pieces: [[OszicarStep]] = []
    for step in all {
      if let last = pieces.last?.last, step.number == -1 || step.number > last.number {
        pieces[pieces.count - 1].append(step)
      } else {
        pieces.append([step])
      }
    }
    func agreements(_ piece: [OszicarStep]) -> (same: Int, different: Int) {
      var (same, different) = (0, 0)
      for (mine, theirs) in zip(reading.steps, piece) {
        guard let energy = mine.enthalpy, energy.isFinite else { continue }
        if abs(energy - theirs.freeEnergy) <= theirs.tolerance { same += 1 } else { different += 1 }
      }
      return (same, different)
    }
    var piece = pieces[0]
    for other in pieces.dropFirst() where agreements(other).same >= agreements(piece).same { piece = other }
    let (same, different) = agreements(piece)
    guard same + different > 0 else { return false }
    guard same >= 3 * different, same > 0 else {
      let k = reading.steps.indices.first {
        $0 < piece.count && abs((reading.steps[$0].enthalpy ?? .nan) - piece[$0].freeEnergy) > piece[$0].tolerance
      }
      warn(
        "companion-differs", companion, line: k.map { piece[$0].line }, step: k,
        "it is of another run than \(reading.name): "
          + (k.map { "F= \(piece[$0].freeEnergy) eV here, \(reading.steps[$0].enthalpy ?? .nan) eV there." }
            ?? "their energies differ."),
        "Nothing was taken from it; put the files of each run into a folder of its own.")
      return false
    }
    var taken = false
    for (k, theirs) in zip(reading.steps.indices, piece) {
      judge(k, theirs, companion)
      if reading.steps[k].totalMoment == nil, let moment = theirs.moment {
        reading.steps[k].totalMoment = moment
        taken = true
      }
    }
    count(piece, companion)
    return taken
  }

  /// The label stands where two of three files agree on it.
  private mutating func judge(_ k: Int, _ theirs: OszicarStep, _ companion: RunCompanion) {
    let step = reading.steps[k]
    guard let energy = step.enthalpy, energy.isFinite else { return }
    let agrees = abs(energy - theirs.freeEnergy) <= theirs.tolerance
    if agrees, let contradiction = step.contradiction, contradiction.cause.hasPrefix("its energy") {
      var settled = contradiction
      settled.cause = contradiction.cause.replacing(
        " The step was left out.",
        with: " \(companion.name):\(theirs.line) has the first of them (\(theirs.freeEnergy) eV), which was kept.")
      reading.diagnostics.append(settled)
      reading.steps[k].contradiction = nil
    } else if !agrees {
      let isOutvoted = step.witnesses > 1
      let diagnostic = Diagnostic(
        .warning, code: "contradiction", place: .init(file: reading.name, line: step.line, ionicStep: step.index),
        cause: "its energy is \(energy) eV here and \(theirs.freeEnergy) eV in \(companion.name):\(theirs.line). "
          + (isOutvoted ? "vasprun.xml and OUTCAR agree, so it was kept." : "The step was left out."),
        remedy: "Copy the files again from where the run was made.")
      if isOutvoted {
        reading.diagnostics.append(diagnostic)
      } else {
        if step.contradiction == nil { reading.steps[k].contradiction = diagnostic }
      }
    }
  }

  private mutating func count(_ piece: [OszicarStep], _ companion: RunCompanion) {
    let steps = reading.steps.count
    guard steps != piece.count else { return }
    if !reading.isComplete, piece.count > steps {
      reading.diagnostics.append(
        Diagnostic(
          .note, code: "steps-missing", place: .init(file: companion.name, line: piece[steps].line),
          cause: "it lists \(piece.count) ionic steps; \(reading.name) breaks off after \(steps)."))
      return
    }
    guard reading.isComplete else { return }
    warn(
      "steps-differ", companion, line: piece.last?.line,
      "it lists \(piece.count) ionic steps, \(reading.name) has \(steps).",
      "Check that no file was cut or overwritten; the steps of \(reading.name) were taken.")
  }

  // MARK: structures

  private func disagreement(_ structure: Configuration) -> String? {
    let species = reading.run.species
    guard !species.isEmpty, structure.species != species else { return nil }
    func formula(_ species: [Element]) -> String {
      Configuration(species: species, positions: species.map { _ in .zero }, cell: nil).formula
    }
    if structure.count != species.count { return "\(structure.count) atoms here, \(species.count) in \(reading.name)" }
    let (mine, theirs) = (formula(structure.species), formula(species))
    return mine == theirs ? "the same atoms in another order" : "\(mine) here, \(theirs) in \(reading.name)"
  }

  private mutating func isOfThisRun(_ structure: Configuration, _ companion: RunCompanion) -> Bool {
    guard let why = disagreement(structure) else { return true }
    warn(
      "companion-differs", companion, "it is of another run: \(why).",
      "Nothing was taken from it; put the files of each run into a folder of its own.")
    return false
  }

  private mutating func takeFlags(_ structure: Configuration) -> Bool {
    guard case .perAtomLogicals(let mask, 3)? = structure.properties["move_mask"],
      structure.species == reading.run.species, reading.steps.contains(where: { $0.selective == nil })
    else { return false }
    for k in reading.steps.indices where reading.steps[k].selective == nil { reading.steps[k].selective = mask }
    return true
  }

  private mutating func hold(final structure: Configuration, _ companion: RunCompanion) -> Bool {
    guard isOfThisRun(structure, companion) else { return false }
    if reading.isComplete, let last = reading.closing, let cell = structure.cell {
      var end = IonicStep(index: 0)
      (end.cell, end.positions) = (cell.vectors, structure.positions)
      // VASP has already moved the atoms on where a run ends before it is converged.
      let isFar = !RunChain.isNear(last, end, reading.run.kind == .isStatic ? .same : .step)
      if isFar, reading.run.kind != .nudgedElasticBand, reading.run.kind != .phonon {
        warn(
          "companion-differs", companion,
          "its structure is not where \(reading.name) ends"
            + (RunChain.distance(last, end).map { ": an atom is \(rounded($0)) Å away from it." } ?? "."),
          "The structures of \(reading.name) were taken; check which run the file is of.")
        return false
      }
    }
    return takeFlags(structure)
  }

  private mutating func hold(initial structure: Configuration, _ companion: RunCompanion) -> Bool {
    guard isOfThisRun(structure, companion) else { return false }
    if let first = reading.opening, let cell = structure.cell {
      var start = IonicStep(index: 0)
      (start.cell, start.positions) = (cell.vectors, structure.positions)
      // Users copy CONTCAR over POSCAR to go on: another structure of the same atoms is no mistake.
      if RunChain.distance(first, start).map({ $0 > 1e-3 }) ?? true {
        reading.diagnostics.append(
          Diagnostic(
            .note, code: "companion-differs", place: .init(file: companion.name),
            cause: "it is not the structure that \(reading.name) begins with."))
      }
    }
    return takeFlags(structure)
  }

  private func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }

  // MARK: inputs

  /// INCAR's tag behind a setting, for the line of a message.
  private static let tags = [
    "functional": ["METAGGA", "GGA", "LHFCALC"], "ENCUT": ["ENCUT"], "PREC": ["PREC"],
    "spin polarisation": ["ISPIN"], "non-collinear magnetism": ["LNONCOLLINEAR"], "spin-orbit coupling": ["LSORBIT"],
    "van der Waals correction": ["IVDW", "LVDW", "LUSE_VDW"], "Hubbard U": ["LDAUU", "LDAU"], "LASPH": ["LASPH"],
  ]

  private mutating func hold(_ tags: [String: (value: String, line: Int)], _ companion: RunCompanion) -> Bool {
    var table = SettingsTable()
    for (name, tag) in tags {
      table.written[name] = name.hasPrefix("LDAU") ? IncarText.canonical(tag.value) : tag.value
    }
    table.titles = reading.run.settings.pseudopotentials ?? []
    table.listsWritten = true
    let settings = table.settings()
    let differences = reading.run.settings.differences(from: settings)
    for difference in differences {
      let names = Self.tags.first { difference.hasPrefix($0.key) }?.value ?? []
      let line = names.lazy.compactMap { tags[$0]?.line }.first
      guard line != nil else { continue }
      warn(
        "companion-differs", companion, line: line,
        "\(reading.name) was made with other settings: \(difference) here.",
        "The settings of \(reading.name) count; INCAR was changed after the run, or is of another one.")
    }
    guard differences.isEmpty else { return false }
    let before = reading.run
    reading.run.settings.fill(from: settings)
    if reading.run.kind == nil { reading.run.kind = table.kind }
    if reading.run.written.isEmpty { reading.run.written = tags.mapValues(\.value) }
    return reading.run != before
  }

  private mutating func hold(_ points: KPointsText, _ companion: RunCompanion) -> Bool {
    guard let words = points.words else { return false }
    let known = reading.run.settings.kPoints
    // A number of points is what a mesh becomes where only OUTCAR tells of it.
    guard let known, !known.hasSuffix("point"), !known.hasSuffix("points") else {
      guard points.mesh != nil else { return false }
      reading.run.settings.kPoints = words
      return true
    }
    if points.mesh != nil, known != words {
      warn(
        "companion-differs", companion, "\(reading.name) was made with another mesh: \(known) vs \(words) here.",
        "The mesh of \(reading.name) counts; KPOINTS was changed after the run, or is of another one.")
    }
    return false
  }

  private mutating func hold(_ titles: [String], _ companion: RunCompanion) -> Bool {
    guard let known = reading.run.settings.pseudopotentials else {
      reading.run.settings.pseudopotentials = titles
      return true
    }
    if known != titles {
      warn(
        "companion-differs", companion,
        "\(reading.name) was made with '\(known.joined(separator: ", "))', not with '\(titles.joined(separator: ", "))'.",
        "The titles of \(reading.name) count; POTCAR was changed after the run, or is of another one.")
    }
    return false
  }
}

extension RunCompanion {
  /// Its kind without what it holds.
  var kind: Int {
    switch content {
    case .oszicar: 0
    case .final: 1
    case .initial: 2
    case .incar: 3
    case .kPoints: 4
    case .potcar: 5
    }
  }

  /// INCAR, KPOINTS, POTCAR and POSCAR are shared by restarts; OSZICAR and CONTCAR are of one run.
  var isInput: Bool { kind >= 2 }
}
