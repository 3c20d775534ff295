import Configurations
import Platform

/// Brings the vasprun.xml and the OUTCAR of one run together: one run is one source, however many
/// files tell of it.
enum RunPairing {
  enum Verdict: Equatable {
    case same
    case different(String)
    /// They share no step and contradict each other in nothing.
    case undecided
  }

  /// Energies of both files are printed with at least six decimals, eV.
  private static let tolerance = 2.1e-6

  /// Judges by content: species, and the energies of the electronic-structure steps one by one.
  static func compare(_ a: FileReading, _ b: FileReading) -> Verdict {
    if !a.run.species.isEmpty, !b.run.species.isEmpty, a.run.species != b.run.species {
      return .different("their species differ")
    }
    let x = a.steps.filter { !$0.machineLearned }
    let y = b.steps.filter { !$0.machineLearned }
    var compared = 0
    for (k, (p, q)) in zip(x, y).enumerated() {
      guard let e = p.freeEnergy, let f = q.freeEnergy, e.isFinite, f.isFinite else { continue }
      if abs(e - f) > tolerance {
        return .different("their energies differ at step \(k): \(e) and \(f) eV")
      }
      compared += 1
    }
    return compared > 0 ? .same : .undecided
  }

  /// Whether two readings are beyond doubt the two files of one run: directory, names and content.
  static func areTwins(_ a: FileReading, _ b: FileReading) -> Bool {
    a.format != b.format && a.directory == b.directory && a.residue == b.residue && !a.isFailed
      && !b.isFailed && compare(a, b) == .same
  }

  /// All readings of one directory, in order, with pairs merged in the place of their vasprun.xml.
  static func pair(_ readings: [FileReading]) -> [(first: FileReading, second: FileReading?)] {
    let usable = readings.filter { !$0.isFailed }
    let sheets = usable.filter { $0.format == .outcar }
    let trees = usable.filter { $0.format == .vasprun }
    var partner: [String: FileReading] = [:]
    var taken: Set<String> = []
    // Names settle only what content leaves open.
    for sameResidue in [true, false] {
      for tree in trees where partner[tree.name] == nil {
        let match = sheets.first {
          !taken.contains($0.name) && (!sameResidue || $0.residue == tree.residue)
            && compare(tree, $0) == .same
        }
        if let match {
          partner[tree.name] = match
          taken.insert(match.name)
        }
      }
    }
    if trees.count == 1, sheets.count == 1, taken.isEmpty,
      compare(trees[0], sheets[0]) == .undecided
    {
      partner[trees[0].name] = sheets[0]
      taken.insert(sheets[0].name)
    }
    return readings.filter { !taken.contains($0.name) }.map { reading in
      var reading = reading
      if partner[reading.name] == nil, reading.format == .vasprun, trees.count == 1,
        sheets.count == 1,
        case .different(let why) = compare(trees[0], sheets[0])
      {
        reading.diagnostics.append(
          Diagnostic(
            .note, code: "different-runs", place: .init(file: reading.name),
            cause: "\(sheets[0].name) beside it is of another run: \(why)."))
      }
      return (reading, partner[reading.name])
    }
  }

  /// vasprun.xml speaks first (eight decimals, every step); OUTCAR adds what it lacks.
  static func merge(_ tree: FileReading, _ sheet: FileReading) -> FileReading {
    var merged = tree
    merged.format = .run
    var builder = DigestBuilder()
    builder.add("vasp run")
    builder.add(tree.digest)
    builder.add(sheet.digest)
    merged.digest = builder.finish()
    merged.isComplete = tree.isComplete || sheet.isComplete
    merged.diagnostics += sheet.diagnostics
    if merged.run.species.isEmpty {
      merged.run.species = sheet.run.species
      for k in merged.steps.indices { merged.steps[k].species = sheet.run.species }
    }
    merged.run.settings.fill(from: sheet.run.settings)
    let others = sheet.steps.filter { !$0.machineLearned }
    var k = 0
    for i in merged.steps.indices where !merged.steps[i].machineLearned {
      defer { k += 1 }
      guard k < others.count else { break }
      merged.steps[i].fill(from: others[k])
    }
    for other in k < others.count ? others[k...] : [] {
      var step = other
      step.index = merged.steps.count
      if step.species.isEmpty { step.species = merged.run.species }
      merged.steps.append(step)
    }
    return merged
  }
}

extension IonicStep {
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
    if freeEnergy == nil {
      freeEnergy = other.freeEnergy
      energyWithoutEntropy = other.energyWithoutEntropy
      energySigmaZero = other.energySigmaZero
    }
  }
}

extension CalculationSettings {
  /// Takes from `other` what this does not say.
  fileprivate mutating func fill(from other: CalculationSettings) {
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
