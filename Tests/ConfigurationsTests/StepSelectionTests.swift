import Configurations
import Foundation
import TestSupport
import Testing
import TungstenReference

/// The rules against slow and obvious ones, on generated trajectories.
@Suite struct StepSelectionTests {
  // MARK: words

  @Test func everyRuleHasOneSpelling() throws {
    let rules: [(String, StepSelection)] = [
      ("all", .all), ("first", .first), ("last", .last), ("every:7", .every(7)), ("energy:0.001", .energy(0.001)),
      ("force:0.1", .force(0.1)), ("force-rms:0.25", .forceRMS(0.25)), ("distance:0.05", .distance(0.05)),
      ("first+last", .andLast(.first)), ("every:10+last", .andLast(.every(10))),
      ("energy:1.5+last", .andLast(.energy(1.5))),
    ]
    for (words, rule) in rules {
      #expect(try StepSelection(words: words) == rule, "\(words)")
      #expect(rule.description == words)
    }
    #expect(try StepSelection(words: "energy:1e-3") == .energy(0.001))
    #expect(try StepSelection(words: "all+last") == .all)
    #expect(try StepSelection(words: "last+last") == .last)
  }

  @Test(arguments: [
    ("", "is no rule"), ("lost", "is no rule"), ("every", "whole number"), ("every:0", "from 1"),
    ("every:-3", "from 1"),
    ("every:2.5", "whole number"), ("energy", "eV/atom"), ("energy:0", "above 0"), ("energy:-1", "above 0"),
    ("energy:nan", "above 0"), ("energy:inf", "above 0"), ("energy:0x1p-3", "above 0"), ("energy:1meV", "eV/atom"),
    ("force:", "eV/Å"), ("force-rms:x", "eV/Å"), ("distance:1.5", "1.41"), ("distance:0", "above 0"),
    ("last:3", "takes no value"), ("all+first", "only 'last'"), ("every:3+last+last", "only 'last'"),
    ("+last", "no rule"),
  ]) func whatMeansNothingIsRefused(words: String, expected: String) {
    do {
      let rule = try StepSelection(words: words)
      Issue.record("'\(words)' was read as \(rule)")
    } catch {
      #expect("\(error)".contains(expected), "\(words): \(error)")
    }
  }

  // MARK: rules

  private struct Trajectory {
    var steps: [Configuration]

    /// A walk of tungsten atoms with labels; some steps did not converge, some lack labels.
    init(seed: UInt64, count: Int, gaps: Bool = true) {
      var random = RandomNumbers(seed: seed)
      let potential = FinnisSinclairTungsten()
      var current = TungstenStructures.displaced(TungstenStructures.bulk((2, 2, 2)), amplitude: 0.05, &random)
      steps = (0..<count).map { index in
        current = TungstenStructures.displaced(current, amplitude: 0.03, &random)
        if index % 11 == 7 { current.positions[0] = current.positions[0] + Vector3(0.4, 0, 0) }
        var step = potential.label(current)
        step.provenance = Provenance(source: "walk", ionicStep: index)
        guard gaps else { return step }
        switch Int.random(in: 0..<12, using: &random) {
        case 0: step.labels.electronicallyConverged = false
        case 1: step.labels.energy = .nan
        case 2:
          step.labels.energy = nil
          step.labels.forces = nil
        case 3: step.labels.forces?[1].y = .infinity
        case 4: step.labels.electronicallyConverged = true
        default: break
        }
        return step
      }
    }
  }

  private func select(_ rule: StepSelection, _ steps: [Configuration]) -> [Int] {
    var selector = StepSelector(rule)
    var kept = steps.filter { selector.take($0) }
    if let last = selector.finish() { kept.append(last) }
    #expect(selector.offered == steps.count && selector.kept == kept.count)
    #expect(selector.finish() == nil)
    return kept.map(\.provenance.ionicStep)
  }

  /// By the definition: one list of indices at a time, everything looked at anew.
  private func oracle(_ rule: StepSelection, _ steps: [Configuration]) -> [Int] {
    switch rule {
    case .all: return Array(steps.indices)
    case .first: return steps.isEmpty ? [] : [0]
    case .last: return steps.isEmpty ? [] : [steps.count - 1]
    case .every(let n): return steps.indices.filter { $0 % n == 0 }
    case .andLast(let inner):
      let kept = oracle(inner, steps)
      let isChange = ![StepSelection.first].contains(inner) && !inner.description.hasPrefix("every")
      let fit = steps.indices.filter { !isChange || steps[$0].labels.electronicallyConverged != false }
      return Set(kept + fit.suffix(1)).sorted()
    case .energy, .force, .forceRMS, .distance:
      var kept: [Int] = []
      var judged: [Int] = []
      for index in steps.indices where steps[index].labels.electronicallyConverged != false {
        switch isFar(rule, steps, index, judged) {
        case nil: kept.append(index)
        case true?:
          kept.append(index)
          judged.append(index)
        case false?: break
        }
      }
      return kept
    }
  }

  private func isFar(_ rule: StepSelection, _ steps: [Configuration], _ index: Int, _ judged: [Int]) -> Bool? {
    let step = steps[index]
    switch rule {
    case .energy(let threshold):
      guard let energy = step.labels.energy, energy.isFinite else { return nil }
      guard let last = judged.last else { return true }
      return abs(energy - steps[last].labels.energy!) / Double(step.count) > threshold
    case .force(let threshold), .forceRMS(let threshold):
      guard let forces = step.labels.forces else { return nil }
      let numbers = forces.flatMap { [$0.x, $0.y, $0.z] }
      guard numbers.allSatisfy(\.isFinite) else { return nil }
      guard let last = judged.last else { return true }
      let old = steps[last].labels.forces!.flatMap { [$0.x, $0.y, $0.z] }
      let changes = zip(numbers, old).map { abs($0 - $1) }
      if case .force = rule { return changes.max()! > threshold }
      return (changes.map { $0 * $0 }.reduce(0, +) / Double(changes.count)).squareRoot() > threshold
    case .distance(let threshold):
      let known = leaders(judged.map { steps[$0] }, threshold)
      return SlowDescriptor.all(step).contains { row in
        known.allSatisfy { SlowDescriptor.distance($0, row) > threshold }
      }
    default: return nil
    }
  }

  /// The thinned surroundings of kept configurations.
  private func leaders(_ kept: [Configuration], _ threshold: Double) -> [[Double]] {
    var known: [[Double]] = []
    for row in kept.flatMap(SlowDescriptor.all)
    where known.allSatisfy({ SlowDescriptor.distance($0, row) > threshold }) { known.append(row) }
    return known
  }

  @Test(arguments: [
    "all", "first", "last", "every:1", "every:7", "first+last", "every:9+last", "energy:0.005", "energy:0.05",
    "energy:0.02+last", "force:0.3", "force:2+last", "force-rms:0.2", "force-rms:0.6",
  ]) func rulesAgreeWithTheirDefinitions(words: String) throws {
    let rule = try StepSelection(words: words)
    var sizes: Set<Int> = []
    for seed in 1...6 {
      let steps = Trajectory(seed: UInt64(seed), count: 40).steps
      for count in [0, 1, 2, 17, 40] {
        let some = Array(steps.prefix(count))
        let kept = select(rule, some)
        #expect(kept == oracle(rule, some), "\(words), seed \(seed), \(count) steps")
        sizes.insert(kept.count)
      }
    }
    #expect(sizes.count > 1, "\(words) chooses")
  }

  @Test(arguments: ["distance:0.02", "distance:0.05", "distance:0.15", "distance:0.1+last"])
  func distanceAgreesWithItsDefinition(words: String) throws {
    let rule = try StepSelection(words: words)
    let steps = Trajectory(seed: 3, count: 14).steps
    let kept = select(rule, steps)
    #expect(kept == oracle(rule, steps))
    #expect(kept.count >= 1 && kept.count < 14 || words == "distance:0.02")
  }

  @Test func thresholdsAreMonotonousWhereTheyMustBe() throws {
    // One atom that moves away: what a wider threshold keeps, a narrower one exceeds in number.
    let steps = Trajectory(seed: 9, count: 30, gaps: false).steps
    for (narrow, wide) in [
      ("energy:0.004", "energy:0.4"), ("force:0.1", "force:10"), ("distance:0.02", "distance:0.3"),
    ] {
      let (many, few) = (
        select(try StepSelection(words: narrow), steps), select(try StepSelection(words: wide), steps)
      )
      #expect(few.count < many.count && few.first == 0 && many.first == 0, "\(narrow) \(many) \(wide) \(few)")
    }
  }

  @Test func otherAtomsAreAlwaysAChange() throws {
    let steps = Trajectory(seed: 5, count: 3, gaps: false).steps
    var smaller = steps[1]
    smaller.species.removeLast()
    smaller.positions.removeLast()
    smaller.labels.forces?.removeLast()
    for words in ["energy:100", "force:100", "force-rms:100"] {
      var selector = StepSelector(try StepSelection(words: words))
      #expect(
        [steps[0], smaller, steps[2], steps[2]].map { selector.take($0) } == [true, true, true, false], "\(words)")
    }
  }

  @Test func whatCouldNotBeJudgedIsSaid() throws {
    var steps = Trajectory(seed: 5, count: 4, gaps: false).steps
    steps[1].labels.energy = nil
    steps[2].labels.electronicallyConverged = false
    var selector = StepSelector(.energy(100))
    #expect(steps.map { selector.take($0) } == [true, true, false, false])
    #expect(selector.diagnostics(of: "OUTCAR").map(\.code) == ["unconverged", "not-judged"])
    #expect(
      selector.diagnostics(of: "OUTCAR").map(\.description).joined().contains("1 step kept without being compared"))
    // Atoms that no neighbour list can be made of.
    var flat = steps[0]
    flat.cell?.vectors = .zero
    var distances = StepSelector(.distance(0.1))
    #expect([steps[0], flat, steps[0]].map { distances.take($0) } == [true, true, false])
    #expect(distances.unjudged == 1)
  }
}

/// The descriptor by its formulas, with plain loops over images.
enum SlowDescriptor {
  static func all(_ configuration: Configuration) -> [[Double]] {
    let cell = configuration.cell!.vectors
    let images = (-2...2).flatMap { a in (-2...2).flatMap { b in (-2...2).map { c in (a, b, c) } } }
    return (0..<configuration.count).map { atom in
      (1...6).flatMap { k -> [Double] in
        var (weight, vector) = (0.0, [0.0, 0, 0])
        var tensor = [[Double]](repeating: [0, 0, 0], count: 3)
        for other in 0..<configuration.count {
          for (a, b, c) in images where !(other == atom && (a, b, c) == (0, 0, 0)) {
            let shift = Double(a) * cell.x + Double(b) * cell.y + Double(c) * cell.z
            let d = configuration.positions[other] + shift - configuration.positions[atom]
            let r = length(d)
            let t = (r - Double(k) * 5 / 6) / (2 * 5 / 6)
            guard r < 5, abs(t) < 1 else { continue }
            let w = pow(1 - t * t, 2) * pow(1 - pow(r / 5, 2), 2)
            let u = [d.x / r, d.y / r, d.z / r]
            weight += w
            for i in 0..<3 {
              vector[i] += w * u[i]
              for j in 0..<3 { tensor[i][j] += w * (u[i] * u[j] - (i == j ? 1.0 / 3 : 0)) }
            }
          }
        }
        let b = vector.map { $0 * $0 }.reduce(0, +).squareRoot()
        let c = (1.5 * tensor.joined().map { $0 * $0 }.reduce(0, +)).squareRoot()
        return [weight, b, c]
      }
    }
  }

  static func distance(_ a: [Double], _ b: [Double]) -> Double {
    func norm(_ v: [Double]) -> Double { v.map { $0 * $0 }.reduce(0, +).squareRoot() }
    let scale = max(norm(a), norm(b))
    return scale == 0 ? 0 : norm(zip(a, b).map { $0 - $1 }) / scale
  }
}

@Suite struct EnvironmentDescriptorTests {
  private let tungsten = Element(symbol: "W")!

  private func disturbed(_ seed: UInt64) -> Configuration {
    var random = RandomNumbers(seed: seed)
    return TungstenStructures.displaced(TungstenStructures.bulk((2, 2, 2)), amplitude: 0.15, &random)
  }

  /// Both sum the same few hundred terms below 1 in another order: 1e-12 is thousands of roundings.
  @Test func itIsWhatTheFormulasSay() throws {
    let configuration = disturbed(1)
    let fast = try EnvironmentDescriptor.descriptors(of: configuration, elements: [tungsten])
    let slow = SlowDescriptor.all(configuration)
    for (a, b) in zip(fast, slow) {
      for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-12) }
    }
  }

  @Test func rotationsTranslationsAndRelabellingsChangeNothing() throws {
    let configuration = disturbed(2)
    let before = try EnvironmentDescriptor.descriptors(of: configuration, elements: [tungsten])
    let angle = 0.7
    let rotation =
      Matrix3([cos(angle), sin(angle), 0], [-sin(angle), cos(angle), 0], [0, 0, 1])
      * Matrix3([1, 0, 0], [0, 0, 1], [0, -1, 0])
    let order = configuration.positions.indices.reversed().map { $0 }
    var moved = configuration
    moved.positions = order.map { (configuration.positions[$0] + Vector3(1.3, -7, 0.4)) * rotation }
    moved.cell?.vectors = configuration.cell!.vectors * rotation
    let after = try EnvironmentDescriptor.descriptors(of: moved, elements: [tungsten])
    for (k, atom) in order.enumerated() {
      for (x, y) in zip(after[k], before[atom]) { #expect(abs(x - y) < 1e-10) }
    }
  }

  /// Every number changes continuously and at most in proportion, also where a sum vanishes by symmetry.
  @Test func smallMovesAreSmallDistances() throws {
    let crystal = TungstenStructures.bulk((2, 2, 2))
    let before = try EnvironmentDescriptor.descriptors(of: crystal, elements: [tungsten])
    var ratios: [Double] = []
    for size in [1e-2, 1e-3, 1e-4, 1e-5] {
      var moved = crystal
      moved.positions[0] = moved.positions[0] + Vector3(size, 0.5 * size, 0)
      let after = try EnvironmentDescriptor.descriptors(of: moved, elements: [tungsten])
      ratios.append(SlowDescriptor.distance(before[0], after[0]) / size)
    }
    // Per Å: the same within the curvature, which is of the order of the largest move.
    #expect(ratios.allSatisfy { $0 > 0.05 && $0 < 2 && abs($0 / ratios[3] - 1) < 0.05 }, "\(ratios)")
  }

  @Test func elementsOfNeighboursCountApart() throws {
    var alloy = disturbed(3)
    let rhenium = Element(symbol: "Re")!
    alloy.species[1] = rhenium
    let rows = try EnvironmentDescriptor.descriptors(of: alloy, elements: [tungsten, rhenium])
    #expect(rows.allSatisfy { $0.count == 36 })
    #expect(rows[0][18...].contains { $0 > 0 })
    // A step that brings a new element is new, and one without it is still known afterwards.
    var selector = StepSelector(.distance(0.01))
    #expect([disturbed(3), alloy, disturbed(3), alloy].map { selector.take($0) } == [true, true, false, false])
  }

  @Test func lonelyAtomsAreAlike() {
    let atom = Configuration(species: [tungsten], positions: [Vector3(0, 0, 0)], cell: nil)
    var moved = atom
    moved.positions[0] = Vector3(3, 2, 1)
    var selector = StepSelector(.distance(0.01))
    #expect([atom, moved, disturbed(4), atom].map { selector.take($0) } == [true, false, true, false])
  }

  /// Where the room is taken the oldest go: a return to them is new again, and the room is never exceeded.
  @Test func memoryIsBounded() {
    func single(_ distance: Double) -> Configuration {
      Configuration(species: [tungsten, tungsten], positions: [Vector3(0, 0, 0), Vector3(distance, 0, 0)], cell: nil)
    }
    let dimers = [1.5, 2.5, 3.5].map(single)
    // Both atoms of a dimer are alike; two rows of 18 numbers.
    var small = KnownEnvironments(distance: 0.1, capacity: 40)
    #expect((dimers + dimers).map { small.isNew($0) } == [true, true, true, true, true, true])
    #expect(small.count == 2)
    #expect(small.isNew(dimers[2]) == false)
    var large = KnownEnvironments(distance: 0.1)
    #expect((dimers + dimers).map { large.isNew($0) } == [true, true, true, false, false, false])
    #expect(large.count == 3)
  }
}
