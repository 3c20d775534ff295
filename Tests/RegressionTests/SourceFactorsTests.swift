import FoundationEssentials
import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct SourceFactorsTests {
  @Test func rowsFollowTheConvention() {
    let layout = ColumnLayout(basis: 2, elements: 2)
    let energy = layout.energyRow(basisSums: [8, 4], composition: [3, 1], energy: -20)
    #expect(energy == Matrix([[4, 2, 1.5, 0.5, -10]]))
    let forces = layout.forceRows(basis: Matrix([[1, 2], [3, 4], [5, 6]]), forces: [7, 8, 9])
    #expect(forces == Matrix([[1, 2, 0, 0, 7], [3, 4, 0, 0, 8], [5, 6, 0, 0, 9]]))
    let stress = layout.stressRows(
      basis: Matrix(rows: 6, columns: 2, repeating: 4), stress: [1, 2, 3, 4, 5, 6], volume: 10,
      atoms: 4)
    #expect(stress.row(2) == [2, 2, 0, 0, 15])
  }

  @Test func blocksAreEvenAndContentBound() {
    var counts = [Int](repeating: 0, count: 7)
    for unit in 0..<7000 { counts[blockIndex(unit: Digest(of: "unit \(unit)"), blocks: 7)] += 1 }
    // 1000 ± 5 standard deviations.
    #expect(counts.allSatisfy { abs($0 - 1000) < 150 }, "\(counts)")
    #expect(blockIndex(unit: Digest(of: "a"), blocks: 1) == 0)
  }

  @Test func leavesHoldTheirRows() throws {
    let project = try Project(blocks: 2)
    for (source, factors) in project.factors {
      #expect(factors.leaves.map(\.key) == factors.leaves.map(\.key).sorted())
      for leaf in factors.leaves {
        let mine = project.rows.filter { $0.source == source && $0.key == leaf.key }
        let all = mine.reduce(Matrix(rows: 0, columns: project.layout.columns)) {
          $0.stacked(on: $1.rows)
        }
        #expect(largestDifference(leaf.factor.matrix, TriangularFactor(rows: all).matrix) < 1e-13)
        #expect(leaf.statistics.rows == all.rows && leaf.statistics.frames == mine.count)
        #expect(leaf.statistics.fewestAtoms == mine.map(\.atoms).min())
        #expect(leaf.statistics.mostAtoms == mine.map(\.atoms).max())
        #expect(leaf.statistics.weightSquares == Double(all.rows))
        let squares = sumOfSquares(all.column(all.columns - 1))
        #expect(abs(leaf.statistics.targetSquares - squares) < 1e-12 * squares)
      }
    }
  }

  @Test func aMultiplierScalesRowsAndIsRemembered() throws {
    let layout = ColumnLayout(basis: 2, elements: 1)
    let key = RowKey(block: 0, group: "", kind: .force)
    var builder = SourceFactorsBuilder(layout: layout)
    let row = Matrix([[1, 2, 0, 4]])
    try builder.append(row, key: key, atoms: 1, multiplier: 0.5)
    try builder.append(row, key: key, atoms: 1, multiplier: 0)
    let leaf = try #require(builder.finish().leaf(key))
    #expect(leaf.factor.matrix == Matrix([[0.5, 1, 0, 2]]))
    #expect(leaf.statistics.frames == 1 && leaf.statistics.weightSquares == 0.25)
  }

  @Test func notFiniteRowsAreRefused() throws {
    let layout = ColumnLayout(basis: 1, elements: 1)
    for bad in [Double.nan, .infinity, -.infinity, 1e200] {
      for place in 0..<3 {
        var row = Matrix([[1, 0, 1]])
        row[0, place] = bad
        var builder = SourceFactorsBuilder(layout: layout)
        #expect(throws: RegressionError.notFinite(group: "g", kind: .energy)) {
          try builder.append(row, key: RowKey(block: 0, group: "g", kind: .energy), atoms: 1)
        }
      }
    }
  }

  @Test func encodingRoundTripsAndIsDeterministic() throws {
    let project = try Project(basis: 4, blocks: 3, groups: ["α/β \"q\"", "", "b"])
    let factors = project.factors[project.sources[0]]!
    let parts = factors.encoded()
    #expect(parts[0].name == SourceFactors.indexName)
    #expect(parts.count == 1 + factors.leaves.count)
    let byName = Dictionary(uniqueKeysWithValues: parts.map { ($0.name, $0.bytes) })
    let read = try SourceFactors { byName[$0] }
    #expect(read == factors && read.digest == factors.digest)
    #expect(read.encoded().map(\.bytes) == parts.map(\.bytes))
  }

  @Test func damagedEncodingsAreRefused() throws {
    let project = try Project(basis: 3, sources: 2)
    let parts = project.factors[project.sources[0]]!.encoded()
    let byName = Dictionary(uniqueKeysWithValues: parts.map { ($0.name, $0.bytes) })
    for missing in parts.map(\.name) {
      #expect(throws: RegressionError.self, "\(missing)") {
        try SourceFactors { $0 == missing ? nil : byName[$0] }
      }
      let bytes = byName[missing]!
      for length in stride(from: 0, to: bytes.count, by: missing.hasSuffix("json") ? 1 : 17) {
        #expect(throws: RegressionError.self, "\(missing) cut to \(length)") {
          try SourceFactors { $0 == missing ? Array(bytes[..<length]) : byName[$0] }
        }
      }
    }
    let index = String(decoding: byName[SourceFactors.indexName]!, as: UTF8.self)
    for (old, new) in [
      ("\"format\":1", "\"format\":2"), ("\"basis\":3", "\"basis\":4"),
      ("\"basis\":3", "\"basis\":-3"), ("leaf-00001.npy", "../leaf-00001.npy"),
      ("\"elements\":2", "\"elements\":0"), ("\"rows\":", "\"rows\":-"),
    ] {
      let changed = Array(index.split(separator: old, maxSplits: 1).joined(separator: new).utf8)
      #expect(changed != byName[SourceFactors.indexName]!, "\(old) occurs")
      #expect(throws: RegressionError.self, "\(new)") {
        try SourceFactors { $0 == SourceFactors.indexName ? changed : byName[$0] }
      }
    }
  }

  @Test func digestSeesEveryBit() throws {
    let a = try Project(seed: 3).factors.sorted { $0.key < $1.key }.map(\.value.digest)
    let b = try Project(seed: 3).factors.sorted { $0.key < $1.key }.map(\.value.digest)
    #expect(a == b)
    #expect(Set(a).count == a.count)
    let layout = ColumnLayout(basis: 1, elements: 1)
    func digest(_ value: Double, _ kind: RowKind, atoms: Int = 1) throws -> Digest {
      var builder = SourceFactorsBuilder(layout: layout)
      try builder.append(
        Matrix([[value, 0, 1]]), key: RowKey(block: 0, group: "", kind: kind), atoms: atoms)
      return builder.finish().digest
    }
    let digests = [
      try digest(1, .energy), try digest(1.0.nextUp, .energy), try digest(1, .force),
      try digest(1, .energy, atoms: 2),
    ]
    #expect(Set(digests).count == 4)
  }
}

@Suite struct WeightsTests {
  @Test func groupsOverrideKindByKind() {
    let weights = plainWeights
    #expect(weights.multiplier(group: "bulk", kind: .energy) == 5)
    #expect(weights.multiplier(group: "liquid", kind: .energy) == 2)
    #expect(weights.multiplier(group: "liquid", kind: .force) == 1)
    #expect(weights.multiplier(group: "liquid", kind: .stress) == 1)
    let without = weights.excluding(group: "liquid")
    for kind in RowKind.allCases {
      #expect(without.multiplier(group: "liquid", kind: kind) == 0)
      #expect(
        without.multiplier(group: "bulk", kind: kind)
          == weights.multiplier(group: "bulk", kind: kind))
      let only = Weights.only(group: "bulk", kind: kind)
      for other in RowKind.allCases {
        #expect(only.multiplier(group: "bulk", kind: other) == (other == kind ? 1 : 0))
        #expect(only.multiplier(group: "liquid", kind: other) == 0)
      }
    }
    #expect(weights.problem == nil)
    #expect(Weights(groups: ["a": .init(forces: -1)]).problem != nil)
    #expect(Weights(energy: .nan).problem != nil)
  }

  @Test func missingKeysTakeDefaults() throws {
    let text = #"{"forces": 2, "groups": {"eos": {"energy": 0.5}}}"#
    let weights = try JSONDecoder().decode(Weights.self, from: Data(text.utf8))
    #expect(weights == Weights(forces: 2, groups: ["eos": .init(energy: 0.5)]))
    #expect(weights.multiplier(group: "eos", kind: .force) == 2)
    #expect(weights.multiplier(group: "bulk", kind: .energy) == 30)
  }

  @Test func wildFramesAreTurnedDown() {
    let weights = EnergyWeights(onset: 1, softness: 0.5, cutoff: 20)
    #expect(weights.multiplier(above: 0) == 1)
    #expect(weights.multiplier(above: -3.1) == 1)
    #expect(weights.multiplier(above: 1) == 1)
    #expect(abs(weights.multiplier(above: 1.0.nextUp) - 1) < 1e-15, "continuous at the onset")
    #expect(weights.multiplier(above: 2.5) == 0.5)
    #expect(weights.multiplier(above: 20.1) == 0)
    let all = (0...200).map { weights.multiplier(above: Double($0) / 10) }
    #expect(zip(all, all.dropFirst()).allSatisfy { $0 >= $1 })
    // pacemaker's form for squares: (ΔE + δ)⁻² up to a constant.
    let plain = EnergyWeights(softness: 0.7)
    #expect(abs(plain.multiplier(above: 1.3) * 2.0 / 0.7 - 1) < 1e-15)
  }
}
