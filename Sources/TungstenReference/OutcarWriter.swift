import Configurations

/// Writes OUTCAR step by step; `bytes` may be emptied between calls.
public struct OutcarWriter {
  public var bytes: [UInt8] = []
  private var stepNumber = 0
  private let title: String

  private static let rule = String(repeating: "-", count: 104)

  /// Begins the file with what precedes the first step.
  public init(_ run: VASPRun) {
    title = filled(VASPRun.potential, 38)
    let count = run.steps[0].count
    line(" vasp.6.3.0 \(VASPRun.build)")
    line(" executed on                 none date 2000.01.01  00:00:00")
    line(" running on    1 total cores")
    line(" \(VASPRun.notDFT): written by generate-tungsten in the layout of VASP 6")
    line("")
    line(Self.rule)
    line("")
    line(" INCAR:")
    line("   SYSTEM = \(run.system)")
    line("   PREC = Accurate")
    line("   ENCUT = 350")
    line("   NELM = \(VASPRun.maximumElectronicSteps)")
    line("   IBRION = \(run.kind.ibrion)")
    line("   NSW = \(run.steps.count)")
    line("   ISIF = \(run.kind.isif)")
    line("")
    line(" POTCAR:    \(title)")
    line(" POTCAR:    \(title)")
    line("   VRHFIN =W: Finnis-Sinclair")
    line("   TITEL  = \(VASPRun.potential)")
    line("   POMASS =  183.840; ZVAL   =    0.000    mass and valenz")
    line("")
    line("  \(title):")
    line(" energy of atom  1       EATOM=    0.0000")
    line("")
    line(Self.rule)
    line("")
    line(" KPOINTS: none                                    ")
    line("")
    line("Automatic generation of k-mesh.")
    line("")
    line(" generate k-points for:    1    1    1")
    line("")
    dimensions(count)
    settings(run)
    line(" k-points in reciprocal lattice and weights: Gamma only")
    line("   0.00000000  0.00000000  0.00000000       1.000")
    line("")
  }

  private mutating func line(_ text: String) { bytes.append(contentsOf: (text + "\n").utf8) }

  private mutating func dimensions(_ count: Int) {
    line(" Dimension of arrays:")
    line(
      "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=      1"
    )
    line("   number of dos      NEDOS =    301   number of ions     NIONS =\(padded(count, 7))")
    line("   ions per type =          \(padded(count, 6))")
    line("")
  }

  private mutating func settings(_ run: VASPRun) {
    line(" SYSTEM =  \(filled(run.system, 72))")
    line("")
    line(" Startparameter for this run:")
    line("   NWRITE =      2    write-flag & timer")
    line("   PREC   = accura    normal or accurate (medium, high low for compatibility)")
    line("   ISPIN  =      1    spin polarized calculation?")
    line("   LNONCOLLINEAR =      F non collinear calculations")
    line("   LSORBIT =      F    spin-orbit coupling")
    line("")
    line(" Electronic Relaxation 1")
    line("   ENCUT  =  350.0 eV  25.72 Ry    5.07 a.u.")
    line(
      "   NELM   =\(padded(VASPRun.maximumElectronicSteps, 7));   NELMIN=  2; NELMDL= -5     # of ELM steps"
    )
    line("   EDIFF  = 0.1E-05   stopping-criterion for ELM")
    line("")
    line(" Ionic relaxation")
    line("   NSW    =\(padded(run.steps.count, 7))    number of steps for IOM")
    line("   IBRION =\(padded(run.kind.ibrion, 7))    ionic relax: 0-MD 1-quasi-New 2-CG")
    line("   ISIF   =\(padded(run.kind.isif, 7))    stress and relaxation")
    line("   POTIM  = 2.0000    time-step for ionic-motion")
    line("")
    line(" DOS related values:")
    line("   ISMEAR =     1;   SIGMA  =   0.10  broadening in eV -4-tet -1-fermi 0-gaus")
    line("")
    line(" Exchange correlation treatment:")
    line("   GGA     =    --    GGA type")
    line("   LHFCALC =     F    Hartree Fock is set to")
    line("")
  }

  /// Appends one ionic step.
  public mutating func append(_ step: Configuration) {
    stepNumber += 1
    let energy = fixed(step.labels.energy!, 18, 8)
    let dashes = String(repeating: "-", count: 39)
    line("")
    line("\(dashes) Iteration \(padded(stepNumber, 6))(   1)  \(dashes)")
    line("")
    line("  Free energy of the ion-electron system (eV)")
    line("  ---------------------------------------------------")
    line("  free energy    TOTEN  =\(energy) eV")
    line("")
    line(
      "  energy without entropy =\(fixed(step.labels.energy!, 17, 8))  energy(sigma->0) =\(fixed(step.labels.energy!, 17, 8))"
    )
    line("")
    line("")
    line(
      "------------------------ aborting loop because EDIFF is reached ----------------------------------------"
    )
    line("")
    stress(step)
    cell(step.cell!)
    forces(step)
    line("  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)")
    line("  ---------------------------------------------------")
    line("  free  energy   TOTEN  =\(energy) eV")
    line("")
    line(
      "  energy  without entropy=\(fixed(step.labels.energy!, 17, 8))  energy(sigma->0) =\(fixed(step.labels.energy!, 17, 8))"
    )
    line("")
    line(Self.rule)
    line("")
    line("     LOOP+:  cpu time      0.0000: real time      0.0000")
  }

  private mutating func stress(_ step: Configuration) {
    let volume = step.cell!.volume
    let s = step.labels.stress!
    // Fortran order XX YY ZZ XY YZ ZX, compression positive.
    let tensor = [s.x.x, s.y.y, s.z.z, s.x.y, s.y.z, s.z.x].map { -$0 }
    line("  FORCE on cell =-STRESS in cart. coord.  units (eV):")
    line("  Direction    XX          YY          ZZ          XY          YZ          ZX")
    line("  --------------------------------------------------------------------------------------")
    line("  Total   " + tensor.map { fixed($0 * volume, 12, 5) }.joined())
    let kilobar = tensor.map { $0 * VASPRun.kilobarPerElectronvolt }
    line("  in kB   " + kilobar.map { fixed($0, 12, 5) }.joined())
    let pressure = (kilobar[0] + kilobar[1] + kilobar[2]) / 3
    line("  external pressure = \(fixed(pressure, 11, 2)) kB  Pullay stress =        0.00 kB")
    line("")
  }

  private mutating func cell(_ cell: Cell) {
    let reciprocal = cell.vectors.inverse!.transpose
    func nine(_ v: Vector3) -> String { (0..<3).map { fixed(v[$0], 13, 9) }.joined() }
    line(" VOLUME and BASIS-vectors are now :")
    line(" -----------------------------------------------------------------------------")
    line("  energy-cutoff  :      350.00")
    line("  volume of cell :\(fixed(cell.volume, 12, 2))")
    line("      direct lattice vectors                 reciprocal lattice vectors")
    for k in 0..<3 { line("  " + nine(cell.vectors[k]) + nine(reciprocal[k])) }
    line("")
    line("  length of vectors")
    let lengths = Vector3(length(cell.vectors.x), length(cell.vectors.y), length(cell.vectors.z))
    let inverses = Vector3(length(reciprocal.x), length(reciprocal.y), length(reciprocal.z))
    line("  " + nine(lengths) + nine(inverses))
    line("")
    line("")
  }

  private mutating func forces(_ step: Configuration) {
    line(" POSITION                                       TOTAL-FORCE (eV/Angst)")
    line(" -----------------------------------------------------------------------------------")
    let vectors = step.cell!.vectors
    let positions = VASPRun.fractional(step).map { $0 * vectors }
    var drift = Vector3.zero
    for (position, force) in zip(positions, step.labels.forces!) {
      drift += force
      line(
        (0..<3).map { fixed(position[$0], 13, 5) }.joined() + "  "
          + (0..<3).map { fixed(force[$0], 14, 6) }.joined())
    }
    line(" -----------------------------------------------------------------------------------")
    line(
      "    total drift:                          "
        + (0..<3).map { fixed(drift[$0], 14, 6) }.joined())
    line("")
    line("")
    line(Self.rule)
    line("")
    line("")
    line("")
  }

  /// Ends the file with the block that VASP prints last.
  public mutating func finish() {
    line("")
    line("")
    line(" General timing and accounting informations for this job:")
    line(" ========================================================")
    line("")
    line("                  Total CPU time used (sec):        0.000")
    line("                            User time (sec):        0.000")
    line("                          System time (sec):        0.000")
    line("                         Elapsed time (sec):        0.000")
    line("")
    line("                   Maximum memory used (kb):           0.")
    line("                   Average memory used (kb):          N/A")
    line("")
    line("                          Minor page faults:            0")
    line("                          Major page faults:            0")
    line("                 Voluntary context switches:            0")
  }
}
