extension Configuration {
  /// The shortest distance between atoms of each pair of elements ("Ti-Al" as "Al-Ti", symbols in
  /// alphabetical order), Å; pairs that do not come within `cutoff` are absent.
  public func shortestDistances(within cutoff: Double) throws(NeighborListError) -> [String: Double] {
    let list = try NeighborList(self, cutoff: cutoff)
    var shortest: [String: Double] = [:]
    for atom in 0..<count {
      for neighbor in list[atom] where Int(neighbor.index) >= atom {
        let symbols = [species[atom].symbol, species[Int(neighbor.index)].symbol].sorted()
        let pair = symbols.joined(separator: "-")
        shortest[pair] = min(shortest[pair] ?? .infinity, neighbor.distance)
      }
    }
    return shortest
  }
}
