import Configurations

/// INCAR-style settings as a file prints them, turned into `CalculationSettings`.
package struct SettingsTable {
  /// What the run really used, by INCAR name; the first occurrence counts, because vasprun.xml
  /// repeats NELM for the response functions.
  package var used: [String: String] = [:]

  /// What the user wrote in INCAR; speaks where `used` is silent.
  var written: [String: String] = [:]
  var program: String?
  var version: String?
  var titles: [String] = []
  var kPoints: String?
  /// Whether the source lists all that was written in INCAR, so that a tag that is not there was not given.
  var listsWritten = false

  /// More tags than VASP has: what a damaged file has beyond them would only cost memory.
  private static let mostTags = 10_000

  package init() {}

  mutating func addUsed(_ name: String, _ value: String) {
    if used[name] == nil, used.count < Self.mostTags { used[name] = value }
  }

  mutating func addWritten(_ name: String, _ value: String) {
    if written[name] == nil, written.count < Self.mostTags { written[name] = value }
  }

  /// Of what the user wrote the first word counts, as in VASP: "GGA = PS  (PBEsol)".
  func text(_ name: String) -> String? {
    if let value = used[name] { return value }
    guard let value = written[name], name != "SYSTEM" else { return written[name] }
    return value.split { $0 == " " || $0 == "\t" }.first.map(String.init)
  }

  func integer(_ name: String) -> Int? { text(name).flatMap { Int($0) } }
  func real(_ name: String) -> Double? { text(name).flatMap { DecimalScanner.number($0) } }
  func flag(_ name: String) -> Bool? {
    guard let first = text(name)?.drop(while: { $0 == "." }).first else { return nil }
    return first == "T" || first == "t" ? true : first == "F" || first == "f" ? false : nil
  }

  /// Names kept in `CalculationSettings.other`.
  private static let kept = [
    "ADDGRID", "ALGO", "EDIFF", "EDIFFG", "ENAUG", "IBRION", "IDIPOL", "ISIF", "ISYM", "IVDW",
    "LASPH", "LMAXMIX", "LREAL", "MDALGO", "ML_LMLFF", "NBANDS", "NELECT", "NELM", "NSW", "POTIM",
    "PREC", "SYSTEM", "TEBEG", "TEEND",
  ]

  func settings() -> CalculationSettings {
    var s = CalculationSettings()
    s.program = program
    s.version = version
    s.functional = functional
    // vasprun.xml names what was used ENMAX, and what was asked for ENCUT.
    s.planeWaveCutoff =
      (used["ENCUT"] ?? used["ENMAX"]).flatMap { DecimalScanner.number($0) } ?? real("ENCUT") ?? real("ENMAX")
    s.pseudopotentials = titles.isEmpty ? nil : titles
    s.kPoints = kPoints
    s.spinOrbit = flag("LSORBIT")
    s.nonCollinear = flag("LNONCOLLINEAR") ?? (s.spinOrbit == true ? true : nil)
    // VASP puts ISPIN back to 1 where magnetism is non-collinear.
    s.spinPolarised = integer("ISPIN").map { $0 == 2 && s.nonCollinear != true && s.spinOrbit != true }
    s.hubbardU = hubbard
    s.dispersion = dispersion
    if let method = integer("ISMEAR") {
      s.smearing = "ISMEAR \(method)" + (real("SIGMA").map { ", SIGMA \($0) eV" } ?? "")
    }
    for name in Self.kept {
      if let value = text(name), !value.isEmpty { s.other[name] = canonical(name, value) }
    }
    return s
  }

  /// One spelling for what vasprun.xml and OUTCAR print differently: "accura", "0.1E-03", ".TRUE.".
  private func canonical(_ name: String, _ value: String) -> String? {
    if name == "SYSTEM" { return value }
    if let number = DecimalScanner.number(value) {
      // vasprun.xml prints eight decimals, so that a small EDIFF becomes 0.
      if name == "EDIFF", number == 0 {
        return written[name].flatMap { DecimalScanner.number($0) }.flatMap { $0 > 0 ? String($0) : nil }
      }
      // VASP's own default for no temperature.
      if name == "TEBEG" || name == "TEEND", number == 1e-4 { return "0.0" }
      if name == "ENAUG", number.isFinite { return String((number * 10).rounded() / 10) }
      if name == "POTIM", number.isFinite { return String(number) }
    }
    if let number = Int(value) { return String(number) }
    if let number = DecimalScanner.number(value), number.isFinite { return String(number) }
    let word = value.uppercased()
    if ["T", "TRUE", ".TRUE.", ".T."].contains(word) { return "T" }
    if ["F", "FALSE", ".FALSE.", ".F."].contains(word) { return "F" }
    let spellings = ["PREC": ["Accurate", "High", "Low", "Medium", "Normal", "Single"]]
    return spellings[name]?.first { $0.uppercased().first == word.first } ?? value
  }

  // MARK: in words

  /// The GGA tag, or what the POTCARs were made for.
  private var semilocal: String? {
    let tag = text("GGA")?.uppercased() ?? "--"
    switch tag {
    case "PE": return "PBE"
    case "PS": return "PBEsol"
    case "91": return "PW91"
    case "RP": return "RPBE"
    case "RE": return "revPBE"
    case "AM": return "AM05"
    case "CA", "PZ": return "LDA"
    case "OR": return "optPBE"
    case "BO": return "optB88"
    case "MK": return "optB86b"
    case "ML": return "rPW86"
    case "B3", "B5": return "B3LYP"
    case "BF": return "BEEF"
    case "--", "", "F", ".FALSE.": break
    default: return tag
    }
    guard let title = titles.first else { return nil }
    if title.hasPrefix("PAW_PBE") { return "PBE" }
    if title.hasPrefix("PAW_GGA") { return "PW91" }
    if title.hasPrefix("PAW ") || title.hasPrefix("PAW_LDA") || title.hasPrefix("US ") {
      return "LDA"
    }
    return nil
  }

  private var functional: String? {
    // OUTCAR of VASP 5 does not say which meta-GGA was used; those ask for LASPH.
    let meta = text("METAGGA")
    if meta == nil, !listsWritten, flag("LMETAGGA") == false, flag("LASPH") != false,
      version?.hasPrefix("6") != true
    {
      return nil
    }
    var base = semilocal
    if let meta = meta?.uppercased(), meta.count > 1, meta != "--", meta != "NONE",
      !meta.hasPrefix(".")
    {
      base =
        ["R2SCA": "r2SCAN", "R2SCAN": "r2SCAN", "RSCAN": "rSCAN", "SCAN": "SCAN"][meta] ?? meta
    }
    guard flag("LHFCALC") == true else { return base }
    let share = real("AEXX") ?? 0.25
    let screening = real("HFSCREEN") ?? 0
    if base == nil || base == "PBE" {
      if share == 0.25 && abs(screening - 0.2) < 0.0101 { return "HSE06" }
      if share == 0.25 && abs(screening - 0.3) < 0.0101 { return "HSE03" }
      if share == 0.25 && screening == 0 { return "PBE0" }
    }
    if base == "B3LYP" { return base }
    if share == 1 && screening == 0 && (real("AGGAX") ?? 0) == 0 { return "Hartree-Fock" }
    return "\(base ?? "semilocal") with \(share) exact exchange"
      + (screening > 0 ? ", screening \(screening)/Å" : "")
  }

  /// One entry per species with a Hubbard U or J, "U 4.0 J 0.0 l 2"; empty for none.
  private var hubbard: [String]? {
    guard let on = flag("LDAU") else { return used.isEmpty ? nil : [] }
    guard on else { return [] }
    // vasprun.xml cuts the list that was used after the first species; what was written is longer.
    func numbers(_ name: String) -> [Double] {
      let lists = [used[name], written[name]].map { text in
        (text ?? "").split(separator: " ").compactMap { DecimalScanner.number($0) }
      }
      return lists[1].count > lists[0].count ? lists[1] : lists[0]
    }
    let u = numbers("LDAUU")
    let j = numbers("LDAUJ")
    let l = numbers("LDAUL")
    // OUTCAR prints one decimal.
    func tenths(_ value: Double) -> Double { (value * 10).rounded(.toNearestOrEven) / 10 + 0 }
    return u.indices.map { k in
      let species =
        k < titles.count ? "\(titles[k].split(separator: " ").dropFirst().first ?? "?") " : ""
      // Without LDAUL VASP takes d electrons.
      let orbital = k < l.count ? Int(exactly: l[k]).map { " l \($0)" } ?? "" : l.isEmpty ? " l 2" : ""
      return "\(species)U \(tenths(u[k])) J \(tenths(k < j.count ? j[k] : 0))\(orbital)"
    }
  }

  private var dispersion: String? {
    if let kind = integer("IVDW"), kind > 0 { return "IVDW \(kind)" }
    if flag("LVDW") == true { return "IVDW 1" }
    if flag("LUSE_VDW") == true { return "vdW-DF (LUSE_VDW)" }
    // Before VASP 6 vasprun.xml is silent on IVDW, also where INCAR has it.
    let isSilent = listsWritten && ["4", "5"].contains(version?.prefix(1))
    return used.isEmpty || isSilent ? nil : "none"
  }

  // MARK: convergence

  /// Whether `iterations` electronic steps reached the criterion: not when they used up NELM.
  /// In linear-response runs (NMR's among them) the response loops are in the count, so a full count says nothing.
  func converged(after iterations: Int) -> Bool? {
    guard let limit = integer("NELM"), limit > 0, iterations > 0 else { return nil }
    if iterations < limit { return true }
    let response =
      integer("IBRION") == 7 || integer("IBRION") == 8 || flag("LEPSILON") == true
      || flag("LCALCEPS") == true || flag("LCHIMAG") == true
    return response ? nil : false
  }
}
