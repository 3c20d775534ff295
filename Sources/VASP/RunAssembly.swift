// What all files of some folders told comes in; calculations go out, each to become one source.

import Configurations
import Platform

enum RunAssembly {
  /// Pairs, completes, checks and joins. The order of the readings does not matter.
  static func assemble(
    _ readings: [FileReading], _ companions: [RunCompanion]
  ) -> [(reading: FileReading, digest: Digest)] {
    var families: [String: [FileReading]] = [:]
    for reading in readings { families[RunNames.family(ofDirectory: reading.directory), default: []].append(reading) }
    var all: [(reading: FileReading, digest: Digest)] = []
    for (_, family) in families.sorted(by: { $0.key < $1.key }) {
      let ordered = family.sorted { ($0.name, $0.part) < ($1.name, $1.part) }
      var runs: [FileReading] = []
      for (_, folder) in Dictionary(grouping: ordered, by: \.directory).sorted(by: { $0.key < $1.key }) {
        runs += RunPairing.pair(folder)
      }
      let neighbours = RunChecks.Neighbours(runs)
      let checked = runs.map { run in
        run.isFailed ? run : RunChecks.apply(RunChecks.companions(companions, of: run, among: neighbours), to: run)
      }
      // A file can hold thousands of runs.
      let parts = checked.reduce(into: [String: Int]()) { $0[$1.name, default: 0] += 1 }
      let chains = RunChain.chains(checked)
      for chain in chains {
        var joined = RunChain.join(chain)
        // A file whose runs are of different calculations becomes several sources.
        let first = chain[0]
        let isSplit = parts[first.name]! > chain.count { $0.name == first.name }
        if isSplit, first.part > 0 { joined.name += "#\(first.part + 1)" }
        all.append((joined, digest(joined, part: isSplit ? first.part : nil)))
      }
    }
    return all
  }

  private static func digest(_ reading: FileReading, part: Int?) -> Digest {
    if reading.digests.count == 1, part == nil { return reading.digests[0] }
    var builder = DigestBuilder()
    builder.add("vasp run")
    for digest in reading.digests { builder.add(digest) }
    if let part { builder.add(part) }
    return builder.finish()
  }
}
