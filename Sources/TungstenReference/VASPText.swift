// Numbers as Fortran prints them.

/// `value` with `digits` decimals, right-justified in `width`; asterisks where it does not fit.
func fixed(_ value: Double, _ width: Int, _ digits: Int) -> String {
  var text: String
  if value.isFinite {
    text = decimal(abs(value), digits)
    if value < 0 || (value == 0 && value.sign == .minus) { text = "-" + text }
  } else {
    text = "NaN"
  }
  if text.utf8.count > width { text = String(repeating: "*", count: width) }
  return String(repeating: " ", count: width - text.utf8.count) + text
}

func padded(_ value: Int, _ width: Int) -> String {
  let text = "\(value)"
  return String(repeating: " ", count: max(0, width - text.utf8.count)) + text
}

/// A string cut or filled with blanks to `width`.
func filled(_ text: String, _ width: Int) -> String {
  let cut = text.prefix(width)
  return cut + String(repeating: " ", count: width - cut.count)
}

/// A number of at most 1e9 with `digits` <= 8 decimals, rounded half to even.
private func decimal(_ value: Double, _ digits: Int) -> String {
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  guard value * scale < 9e15 else { return String(repeating: "*", count: 40) }
  let scaled = UInt64((value * scale).rounded(.toNearestOrEven))
  let whole = scaled / UInt64(scale)
  guard digits > 0 else { return "\(whole)." }
  let rest = "\(scaled % UInt64(scale))"
  return "\(whole)." + String(repeating: "0", count: digits - rest.utf8.count) + rest
}
