/// A chemical element, by atomic number 1...118.
public struct Element: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let atomicNumber: UInt8

  public init?(atomicNumber: Int) {
    guard (1...118).contains(atomicNumber) else { return nil }
    self.atomicNumber = UInt8(atomicNumber)
  }

  /// The element with this symbol, in the usual capitalisation ("W", "Si").
  public init?(symbol: some StringProtocol) {
    guard let number = Self.numbers[String(symbol)] else { return nil }
    self.atomicNumber = number
  }

  public var symbol: String { Self.symbols[Int(atomicNumber) - 1] }

  public var description: String { symbol }

  public static func < (a: Element, b: Element) -> Bool { a.atomicNumber < b.atomicNumber }

  /// All symbols, hydrogen first.
  public static let symbols: [String] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl",
    "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn",
    "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
  ]

  private static let numbers = Dictionary(
    uniqueKeysWithValues: symbols.enumerated().map { ($1, UInt8($0 + 1)) })
}
