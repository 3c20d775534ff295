import Configurations

/// Writes vasprun.xml step by step; `bytes` may be emptied between calls.
public struct VasprunWriter {
  public var bytes: [UInt8] = []

  /// Begins the file with what precedes the first step.
  public init(_ run: VASPRun) {
    let first = run.steps[0]
    line("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>")
    line("<modeling>")
    line(" <!-- \(VASPRun.notDFT): written by generate-tungsten in the layout of VASP 6 -->")
    line(" <generator>")
    for (name, value) in [
      ("program", "vasp "), ("version", "6.3.0  "), ("subversion", VASPRun.build + " "),
      ("platform", "none "), ("date", "2000 01 01 "), ("time", "00:00:00 "),
    ] {
      line("  <i name=\"\(name)\" type=\"string\">\(value)</i>")
    }
    line(" </generator>")
    line(" <incar>")
    line("  <i type=\"string\" name=\"SYSTEM\">\(run.system)</i>")
    parameters(run, "  ")
    line(" </incar>")
    kPoints()
    line(" <parameters>")
    line("  <separator name=\"general\" >")
    line("   <i type=\"string\" name=\"SYSTEM\">\(run.system)</i>")
    line("  </separator>")
    electronic()
    line("  <separator name=\"ionic\" >")
    line("   <i type=\"int\" name=\"NSW\">\(padded(run.steps.count, 6))</i>")
    line("   <i type=\"int\" name=\"IBRION\">\(padded(run.kind.ibrion, 6))</i>")
    line("   <i type=\"int\" name=\"ISIF\">\(padded(run.kind.isif, 6))</i>")
    line("   <i name=\"POTIM\">\(fixed(2, 16, 8))</i>")
    line("  </separator>")
    line("  <separator name=\"electronic exchange-correlation\" >")
    line("   <i type=\"logical\" name=\"LDAU\"> F  </i>")
    line("   <i type=\"string\" name=\"GGA\">--</i>")
    line("   <i type=\"logical\" name=\"LHFCALC\"> F  </i>")
    line("  </separator>")
    line("  <separator name=\"response functions\" >")
    line("   <i type=\"int\" name=\"NELM\">     1</i>")
    line("  </separator>")
    line(" </parameters>")
    atomInfo(first)
    structure(first, " ", name: "initialpos")
  }

  private mutating func line(_ text: String) { bytes.append(contentsOf: (text + "\n").utf8) }

  private mutating func parameters(_ run: VASPRun, _ indent: String) {
    line("\(indent)<i type=\"string\" name=\"PREC\">accurate</i>")
    line("\(indent)<i type=\"int\" name=\"NELM\">\(padded(VASPRun.maximumElectronicSteps, 6))</i>")
    line("\(indent)<i type=\"int\" name=\"IBRION\">\(padded(run.kind.ibrion, 6))</i>")
    line("\(indent)<i type=\"int\" name=\"NSW\">\(padded(run.steps.count, 6))</i>")
    line("\(indent)<i type=\"int\" name=\"ISIF\">\(padded(run.kind.isif, 6))</i>")
    line("\(indent)<i name=\"ENCUT\">\(fixed(350, 16, 8))</i>")
    line("\(indent)<i type=\"int\" name=\"ISMEAR\">     1</i>")
    line("\(indent)<i name=\"SIGMA\">\(fixed(0.1, 16, 8))</i>")
  }

  private mutating func electronic() {
    line("  <separator name=\"electronic\" >")
    line("   <i type=\"string\" name=\"PREC\">accura</i>")
    line("   <i name=\"ENMAX\">\(fixed(350, 16, 8))</i>")
    line("   <i name=\"EDIFF\">\(fixed(0.000001, 16, 8))</i>")
    line("   <separator name=\"electronic smearing\" >")
    line("    <i type=\"int\" name=\"ISMEAR\">     1</i>")
    line("    <i name=\"SIGMA\">\(fixed(0.1, 16, 8))</i>")
    line("   </separator>")
    line("   <separator name=\"electronic spin\" >")
    line("    <i type=\"int\" name=\"ISPIN\">     1</i>")
    line("    <i type=\"logical\" name=\"LNONCOLLINEAR\"> F  </i>")
    line("    <i type=\"logical\" name=\"LSORBIT\"> F  </i>")
    line("   </separator>")
    line("   <separator name=\"electronic convergence\" >")
    line("    <i type=\"int\" name=\"NELM\">\(padded(VASPRun.maximumElectronicSteps, 6))</i>")
    line("    <i type=\"int\" name=\"NELMIN\">     2</i>")
    line("   </separator>")
    line("  </separator>")
  }

  private mutating func kPoints() {
    line(" <kpoints>")
    line("  <generation param=\"Gamma\">")
    line("   <v type=\"int\" name=\"divisions\">       1        1        1 </v>")
    line("   <v name=\"usershift\">\(row([0, 0, 0])) </v>")
    line("   <v name=\"genvec1\">\(row([1, 0, 0])) </v>")
    line("   <v name=\"genvec2\">\(row([0, 1, 0])) </v>")
    line("   <v name=\"genvec3\">\(row([0, 0, 1])) </v>")
    line("   <v name=\"shift\">\(row([0, 0, 0])) </v>")
    line("  </generation>")
    line("  <varray name=\"kpointlist\" >")
    line("   <v>\(row([0, 0, 0])) </v>")
    line("  </varray>")
    line("  <varray name=\"weights\" >")
    line("   <v>\(fixed(1, 17, 8)) </v>")
    line("  </varray>")
    line(" </kpoints>")
  }

  private mutating func atomInfo(_ step: Configuration) {
    line(" <atominfo>")
    line("  <atoms>\(padded(step.count, 8)) </atoms>")
    line("  <types>       1 </types>")
    line("  <array name=\"atoms\" >")
    line("   <dimension dim=\"1\">ion</dimension>")
    line("   <field type=\"string\">element</field>")
    line("   <field type=\"int\">atomtype</field>")
    line("   <set>")
    for _ in 0..<step.count { line("    <rc><c>W </c><c>   1</c></rc>") }
    line("   </set>")
    line("  </array>")
    line("  <array name=\"atomtypes\" >")
    line("   <dimension dim=\"1\">type</dimension>")
    line("   <field type=\"int\">atomspertype</field>")
    line("   <field type=\"string\">element</field>")
    line("   <field>mass</field>")
    line("   <field>valence</field>")
    line("   <field type=\"string\">pseudopotential</field>")
    line("   <set>")
    let title = filled("  " + VASPRun.potential, 40)
    line(
      "    <rc><c>\(padded(step.count, 4))</c><c>W </c><c>\(fixed(183.84, 16, 8))</c>"
        + "<c>\(fixed(0, 16, 8))</c><c>\(title)</c></rc>")
    line("   </set>")
    line("  </array>")
    line(" </atominfo>")
  }

  private func row(_ v: Vector3) -> String {
    fixed(v.x, 17, 8) + fixed(v.y, 17, 8) + fixed(v.z, 17, 8)
  }

  private mutating func block(_ name: String, _ rows: [Vector3], _ indent: String) {
    line("\(indent)<varray name=\"\(name)\" >")
    for vector in rows { line("\(indent) <v>\(row(vector)) </v>") }
    line("\(indent)</varray>")
  }

  private mutating func structure(_ step: Configuration, _ indent: String, name: String?) {
    let cell = step.cell!
    let reciprocal = cell.vectors.inverse!.transpose
    line("\(indent)<structure\(name.map { " name=\"\($0)\" " } ?? "")>")
    line("\(indent) <crystal>")
    block("basis", [cell.vectors.x, cell.vectors.y, cell.vectors.z], indent + "  ")
    line("\(indent)  <i name=\"volume\">\(fixed(cell.volume, 16, 8)) </i>")
    block("rec_basis", [reciprocal.x, reciprocal.y, reciprocal.z], indent + "  ")
    line("\(indent) </crystal>")
    block("positions", VASPRun.fractional(step), indent + " ")
    line("\(indent)</structure>")
  }

  private mutating func energies(_ step: Configuration, _ indent: String) {
    let energy = fixed(step.labels.energy!, 16, 8)
    line("\(indent)<energy>")
    line("\(indent) <i name=\"e_fr_energy\">\(energy) </i>")
    line("\(indent) <i name=\"e_wo_entrp\">\(energy) </i>")
    line("\(indent) <i name=\"e_0_energy\">\(energy) </i>")
    line("\(indent)</energy>")
  }

  /// Appends one `<calculation>`.
  public mutating func append(_ step: Configuration) {
    let stress = -VASPRun.kilobarPerElectronvolt * step.labels.stress!
    line(" <calculation>")
    line("  <scstep>")
    line("   <time name=\"total\">    0.00    0.00</time>")
    energies(step, "   ")
    line("  </scstep>")
    structure(step, "  ", name: nil)
    block("forces", step.labels.forces!, "  ")
    block("stress", [stress.x, stress.y, stress.z], "  ")
    energies(step, "  ")
    line("  <time name=\"totalsc\">    0.00    0.00</time>")
    line(" </calculation>")
  }

  /// Ends the file; `step` is the last one.
  public mutating func finish(_ step: Configuration) {
    structure(step, " ", name: "finalpos")
    line("</modeling>")
  }
}
