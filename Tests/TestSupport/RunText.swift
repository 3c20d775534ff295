import Configurations

/// Texts in the layout of VASP's output, made from numbers that the tests know.
package struct RunText {
  package struct Step {
    package var cell: Matrix3
    /// Fractional, one per atom.
    package var positions: [Vector3]
    package var forces: [Vector3]
    /// kB: XX YY ZZ XY YZ ZX.
    package var stress: [Double]?
    package var energy: Double
    package var withoutEntropy: Double
    package var sigmaZero: Double
    package var iterations: Int

    package init(
      cell: Matrix3 = Matrix3([4, 0, 0], [0, 5, 0], [0.5, 0, 6]),
      positions: [Vector3] = [[0, 0, 0], [0.25, 0.5, 0.75]],
      forces: [Vector3] = [[0.125, -0.5, 0.0625], [-0.125, 0.5, -0.0625]],
      stress: [Double]? = [10, 20, 30, 1, 2, 3], energy: Double = -10.5,
      withoutEntropy: Double = -10.25, sigmaZero: Double = -10.375, iterations: Int = 3
    ) {
      self.cell = cell
      self.positions = positions
      self.forces = forces
      self.stress = stress
      self.energy = energy
      self.withoutEntropy = withoutEntropy
      self.sigmaZero = sigmaZero
      self.iterations = iterations
    }
  }

  package var version: String
  package var steps: [Step]
  package var symbols: [String]
  package var titles: [String]
  package var maximumIterations: Int
  package var parameters: [(String, String, String)]
  package var selective: Bool
  package var learned: Bool

  package init(
    version: String = "6.3.2", steps: [Step] = [Step()], symbols: [String] = ["W", "O"],
    titles: [String] = ["PAW_PBE W_sv 06Sep2000", "PAW_PBE O 08Apr2002"],
    maximumIterations: Int = 60, parameters: [(String, String, String)] = [],
    selective: Bool = false, learned: Bool = false
  ) {
    self.version = version
    self.steps = steps
    self.symbols = symbols
    self.titles = titles
    self.maximumIterations = maximumIterations
    self.parameters = parameters
    self.selective = selective
    self.learned = learned
  }

  private func fixed(_ value: Double, _ width: Int, _ decimals: Int) -> String {
    var scaled = (abs(value) * [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8][decimals]).rounded()
    var text = ""
    for _ in 0..<decimals {
      text = "\(Int(scaled.truncatingRemainder(dividingBy: 10)))" + text
      scaled = (scaled / 10).rounded(.down)
    }
    text = (value < 0 ? "-" : "") + "\(Int(scaled))." + text
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }

  private func rows(_ vectors: [Vector3]) -> String {
    vectors.map {
      "   <v> \(fixed($0.x, 16, 8)) \(fixed($0.y, 16, 8)) \(fixed($0.z, 16, 8)) </v>\n"
    }.joined()
  }

  private func structure(_ step: Step, _ attribute: String = "") -> String {
    var text = " <structure\(attribute)>\n  <crystal>\n   <varray name=\"basis\" >\n"
    text +=
      rows([step.cell.x, step.cell.y, step.cell.z])
      + "   </varray>\n   <i name=\"volume\"> 1.0 </i>\n"
    text +=
      "  </crystal>\n  <varray name=\"positions\" >\n" + rows(step.positions) + "  </varray>\n"
    if selective {
      text += "  <varray type=\"logical\" name=\"selective\" >\n"
      text += step.positions.indices.map {
        "   <v type=\"logical\" > \($0 == 0 ? "T  F" : "T  T")  T </v>\n"
      }.joined()
      text += "  </varray>\n"
    }
    return text + " </structure>\n"
  }

  private func stressRows(_ s: [Double]) -> String {
    rows([[s[0], s[3], s[5]], [s[3], s[1], s[4]], [s[5], s[4], s[2]]])
  }

  /// Before 6.1 the block holds E(sigma->0) and F - E under the names of the others.
  private func energyBlock(_ step: Step) -> String {
    let parts = version.split(separator: ".").compactMap { Int($0) }
    let old = parts.count > 1 && (parts[0], parts[1]) < (6, 1)
    let second = old ? step.sigmaZero : step.withoutEntropy
    let third = old ? step.energy - step.withoutEntropy : step.sigmaZero
    return "  <energy>\n   <i name=\"e_fr_energy\">\(fixed(step.energy, 16, 8)) </i>\n"
      + "   <i name=\"e_wo_entrp\">\(fixed(second, 16, 8)) </i>\n"
      + "   <i name=\"e_0_energy\">\(fixed(third, 16, 8)) </i>\n  </energy>\n"
  }

  package var vasprun: String {
    var text = """
      <?xml version="1.0" encoding="ISO-8859-1"?>
      <modeling>
       <generator>
        <i name="program" type="string">vasp </i>
        <i name="version" type="string">\(version)  </i>
       </generator>
       <incar>
        <i type="string" name="ALGO"> Fast</i>
       </incar>
       <kpoints>
        <generation param="Gamma">
         <v type="int" name="divisions">       2        3        4 </v>
        </generation>
        <varray name="kpointlist" >
         <v>       0.00000000       0.00000000       0.00000000 </v>
        </varray>
       </kpoints>
       <parameters>
        <separator name="electronic" >
         <i type="string" name="PREC">accura</i>
         <i name="ENMAX">    520.00000000</i>
         <i type="int" name="NELM">\(maximumIterations)</i>
         <separator name="electronic smearing" >
          <i type="int" name="ISMEAR">     0</i>
          <i name="SIGMA">      0.05000000</i>
         </separator>

      """
    for (name, type, value) in parameters {
      text += "   <i type=\"\(type)\" name=\"\(name)\"> \(value)</i>\n"
    }
    text += """
        </separator>
        <separator name="response functions" >
         <i type="int" name="NELM">     1</i>
        </separator>
       </parameters>
       <atominfo>
        <atoms>\(symbols.count) </atoms>
        <array name="atoms" >
         <dimension dim="1">ion</dimension>
         <field type="string">element</field>
         <field type="int">atomtype</field>
         <set>

      """
    for (k, symbol) in symbols.enumerated() {
      text += "    <rc><c>\(symbol)</c><c>   \(k + 1)</c></rc>\n"
    }
    text += "   </set>\n  </array>\n  <array name=\"atomtypes\" >\n   <set>\n"
    for (symbol, title) in zip(symbols, titles) {
      text +=
        "    <rc><c>   1</c><c>\(symbol)</c><c>  1.0</c><c>  6.0</c><c>  \(title)  </c></rc>\n"
    }
    text +=
      "   </set>\n  </array>\n </atominfo>\n"
      + structure(steps.first ?? Step(), " name=\"initialpos\" ")
    for step in steps {
      if learned {
        text +=
          structure(step) + " <varray name=\"forces\" >\n" + rows(step.forces) + " </varray>\n"
        text += energyBlock(step)
      }
      text += " <calculation>\n"
      for _ in 0..<step.iterations {
        text += "  <scstep>\n   <time name=\"total\"> 1.0 1.0</time>\n   <energy>\n"
        text += "    <i name=\"e_fr_energy\">      99.00000000 </i>\n   </energy>\n  </scstep>\n"
      }
      text +=
        structure(step) + "  <varray name=\"forces\" >\n" + rows(step.forces) + "  </varray>\n"
      if let s = step.stress {
        text += "  <varray name=\"stress\" >\n" + stressRows(s) + "  </varray>\n"
      }
      text += energyBlock(step)
      text +=
        "  <dos>\n   <total><array><set><r> 1.0 2.0 </r></set></array></total>\n  </dos>\n </calculation>\n"
    }
    return text + structure(steps.last ?? Step(), " name=\"finalpos\" ") + "</modeling>\n"
  }

  /// As 5.2.11 and later print it, or with the energy before the forces.
  package func outcar(energyFirst: Bool = false, finished: Bool = true) -> String {
    var text =
      " vasp.\(version) 01Jan20 (build by hand)\n\n executed on             LinuxIFC date 2026.01.01\n"
    for title in titles { text += "   TITEL  = \(title)\n" }
    text += "   ions per type =             " + symbols.map { _ in "  1" }.joined() + "\n"
    text += "   k-points           NKPTS =      8   k-points in BZ     NKDIM =      8\n"
    text += "   number of dos      NEDOS =    301   number of ions     NIONS =  \(symbols.count)\n"
    text += "   NELM   =  \(maximumIterations);   NELMIN=  2; NELMDL= -5     # of ELM steps\n"
    text +=
      "   ENCUT  =  520.0 eV  38.22 Ry    6.18 a.u.\n   ISPIN  =      2    spin polarized calculation?\n"
    text +=
      "   ISMEAR =     0;   SIGMA  =   0.05  broadening in eV\n   GGA     =    PE    GGA type\n"
    for (name, _, value) in parameters { text += "   \(name) = \(value)    set\n" }
    for (k, step) in steps.enumerated() {
      for iteration in 0..<step.iterations {
        text +=
          "--------------------------------------- Iteration \(k + 1 > 9999 ? "****" : fixed(Double(k + 1), 6, 0).filter { $0 != "." })"
        text +=
          "(   \(iteration + 1))  ---------------------------------------\n  free energy    TOTEN  =        99.00000000 eV\n"
      }
      text +=
        "------------------------ aborting loop because EDIFF is reached ----------------------------------------\n"
      text +=
        "\n magnetization (x)\n \n# of ion       s       p       d       tot\n------------------------------------------\n"
      for (ion, _) in symbols.enumerated() {
        text += "    \(ion + 1)        0.001   0.002   0.003   \(ion + 1).250\n"
      }
      text +=
        "--------------------------------------------------\ntot          0.002   0.004   0.006   3.500\n\n"
      let energy =
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n  ---------------------------------------------------\n"
        + "  free  energy   TOTEN  =  \(fixed(step.energy, 18, 8)) eV\n\n"
        + "  energy  without entropy=\(fixed(step.withoutEntropy, 18, 8))  energy(sigma->0) =\(fixed(step.sigmaZero, 18, 8))\n"
      if energyFirst { text += energy }
      if let s = step.stress {
        text +=
          "  FORCE on cell =-STRESS in cart. coord.  units (eV):\n  in kB  "
          + s.map { fixed($0, 12, 5) }.joined() + "\n"
      }
      text += "      direct lattice vectors                 reciprocal lattice vectors\n"
      for row in 0..<3 {
        let v = step.cell[row]
        text +=
          "  \(fixed(v.x, 13, 8))\(fixed(v.y, 13, 8))\(fixed(v.z, 13, 8))     0.250000000  0.000000000  0.000000000\n"
      }
      text += "\n POSITION                                       TOTAL-FORCE (eV/Angst)\n"
      text +=
        " -----------------------------------------------------------------------------------\n"
      for (p, f) in zip(step.positions, step.forces) {
        let r = p * step.cell
        text +=
          " " + [r.x, r.y, r.z].map { fixed($0, 13, 5) }.joined() + "    "
          + [f.x, f.y, f.z].map { fixed($0, 14, 6) }.joined() + "\n"
      }
      text +=
        " -----------------------------------------------------------------------------------\n"
      if !energyFirst { text += energy }
    }
    if finished { text += " General timing and accounting informations for this job:\n" }
    return text
  }
}
