// Figures as text.

import Regression

/// MAE of energy, force and stress, a bar, and the RMSE of the three.
func figures(_ table: ErrorTable, _ split: ErrorTable.Split, group: String = "") -> String {
  func line(_ value: (ErrorTable.Entry) -> Double) -> String {
    [ErrorTable.Quantity.energy, .force, .stress].map { quantity in
      guard let entry = table.entry(group: group, quantity: quantity, split: split) else { return "-" }
      return quantity == .force ? decimals(value(entry) / 1000, 4) : decimals(value(entry), 3)
    }.joined(separator: " ")
  }
  return line(\.meanAbsolute) + " | " + line(\.rootMeanSquare)
}

func brief(_ weights: Weights) -> String {
  [weights.energy, weights.forces, weights.stress].map { $0 == $0.rounded() ? String(Int($0)) : "\($0)" }
    .joined(separator: "/")
}

/// Fixed decimals, without the locale.
func decimals(_ value: Double, _ count: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
  let power = (0..<count).reduce(1) { result, _ in result * 10 }
  let units = Int((abs(value) * Double(power)).rounded())
  if count == 0 { return (value < 0 ? "-" : "") + "\(units)" }
  let fraction = String(units % power)
  let zeros = String(repeating: "0", count: count - fraction.count)
  return (value < 0 && units > 0 ? "-" : "") + "\(units / power)." + zeros + fraction
}

/// Two digits, as 3.1e-07.
func scientific(_ value: Double) -> String {
  guard value > 0, value.isFinite else { return "\(value)" }
  var (mantissa, exponent) = (value, 0)
  while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  return decimals(mantissa, 1) + "e\(exponent)"
}

func seconds(_ duration: Duration) -> String {
  decimals(Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18, 1)
}
