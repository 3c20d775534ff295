/// " Did you mean 'cutoff'?" for the nearest of the known words, or nothing where none is near.
public func didYouMean(_ word: String, among known: [String]) -> String {
  let near = known.map { ($0, editDistance(word.lowercased(), $0.lowercased())) }.min {
    $0.1 < $1.1
  }
  guard let near, near.1 <= max(2, word.count / 3) else {
    return known.isEmpty ? "" : "; known: " + known.sorted().joined(separator: ", ")
  }
  return "; did you mean '\(near.0)'?"
}

private func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var previous = Array(0...b.count)
  for i in 0..<a.count {
    var current = [i + 1]
    for j in 0..<b.count {
      current.append(min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1)))
    }
    previous = current
  }
  return previous[b.count]
}
