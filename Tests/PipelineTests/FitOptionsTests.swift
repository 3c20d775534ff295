import ACE
import Configurations
import Engine
import LinearAlgebra
import Platform
import Regression
import StageKit
import StageLaws
import Testing
import TungstenReference

/// What the refit stage is told, from its parameters to the coefficients.
@Suite struct FitOptionsTests {
  /// The stages up to the fit, in memory.
  private struct World {
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()

    func run(
      _ refit: String, featurize: String = "cutoff: 4.2, order: 2, functions: 8, repulsion: 'none'", when: String = "",
      now: Timestamp? = nil
    ) throws -> RunOutcome {
      let text = """
        { sluice: 1, project: 'fit', elements: ['W'], inbox: 'inbox', outbox: 'outbox', stages: [
          { use: 'ingest' }, { use: 'screen', maxForce: 1000 }, { use: 'featurize', \(featurize) },
          { use: 'refit', ensemble: { method: 'none' }, \(refit) \(when) } ] }
        """
      let (_, plan) = try BuiltIn.load(text, path: "/nowhere/fit.json5")
      return try Runner(plan: plan, store: store, drops: inbox, threads: 2, now: now).run()
    }

    func part(_ outcome: RunOutcome, _ name: String) throws -> [UInt8] {
      let artifact = try #require(outcome.results["refit"]?.wholes[.potential])
      return try store.bytes(#require(artifact.part(name)))
    }

    func summary(_ outcome: RunOutcome) throws -> FitSummary {
      try CanonicalJSON.decode(FitSummary.self, part(outcome, "fit.json"))
    }

    func coefficients(_ outcome: RunOutcome) throws -> [Double] {
      let members = try NumPyArchive.decode(part(outcome, "coefficients.npz"))
      return try members.flatMap { try Matrix(numPyBytes: $0.bytes).storage }
    }
  }

  private static let exact = "prior: 'ridge', regularisation: 'fixed', lambda: 0, heldOut: 0"

  /// Runs from cold to squeezed, a collection of two groups and of two sizes.
  private static func drops() -> [InMemoryDrops.Unit] {
    let runs = (0..<5).map { number in
      InMemoryDrops.Unit(
        "run\(number).xml",
        Samples.run(UInt64(number + 1), amplitude: 0.1, strain: [0, 0.02, -0.05, -0.1, -0.14][number]).vasprun())
    }
    var random = RandomNumbers(seed: 11)
    var frames = Samples.frames(41, count: 6, amplitude: 0.12)
    frames += (0..<4).map { _ in
      Samples.potential.label(TungstenStructures.displaced(TungstenStructures.bulk((1, 2, 2)), amplitude: 0.2, &random))
    }
    for index in frames.indices { frames[index].provenance.group = index % 2 == 0 ? "cold" : "warm" }
    return runs + [.init("frames.xyz", Samples.extendedXYZ(frames))]
  }

  /// Every row made anew and weighted by hand.
  @Test func weightsAreThoseOfLeastSquaresOverAllRows() throws {
    let world = World()
    world.inbox.drop(Self.drops(), into: "ingest")
    let outcome = try world.run(
      """
      \(Self.exact), weights: { energy: 20, forces: 2, stress: 0.5, normalisation: 'atoms',
        groups: { cold: { energy: 5, forces: 1, stress: 0 } },
        byEnergy: { above: 'hull', onset: 0.05, softness: 0.4, cutoff: 6 } }
      """)
    let configurations = try #require(outcome.results["ingest"]?.collections[.configurations])
    let features = try #require(outcome.results["featurize"]?.collections[.features])
    let indices = try features.map {
      try CanonicalJSON.decode(FeatureIndex.self, world.store.bytes(#require($0.artifact.part("index.json"))))
    }
    let specification = try CanonicalJSON.decode(
      BasisSpecification.self, world.store.bytes(#require(features[0].artifact.part("basis.json"))))
    let evaluator = Evaluator(try Basis(specification))
    let lowest = indices.flatMap(\.frames).compactMap(\.energyPerAtom).min()!
    let reference = (lowest * 16).rounded(.down) / 16
    #expect(Set(indices.flatMap(\.frames).map(\.level)).count >= 2, "energies of several levels")

    var rows: [[Double]] = []
    for (item, index) in zip(configurations, indices) {
      let bytes = try world.store.bytes(#require(item.artifact.part("configurations.extxyz")))
      var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: "frames")
      let all = try reader.readAll()
      for frame in index.frames {
        let peers = index.frames.filter {
          $0.block == frame.block && $0.group == frame.group && $0.level == frame.level
        }
        let above = peers.map { $0.energyPerAtom! - reference }.reduce(0, +) / Double(peers.count)
        let factor = above > 6 ? 0 : above <= 0.05 ? 1 : 0.45 / (above + 0.4)
        let isCold = frame.group == "cold"
        let configuration = all[frame.frame]
        let atoms = Double(configuration.count)
        let own = try evaluator.features(of: configuration, workspace: Workspace()).rows
        let energy = configuration.labels.energy!
        let weight = (isCold ? 5.0 : 20) * factor / atoms
        rows.append((own.energy + [atoms, energy]).map { $0 * weight })
        let forces = configuration.labels.forces!.flatMap { [$0.x, $0.y, $0.z] }
        for (k, force) in forces.enumerated() {
          rows.append((own.forces.row(k) + [0, force]).map { $0 * (isCold ? 1.0 : 2) * factor })
        }
        guard !isCold, let stress = configuration.labels.stress, let cell = configuration.cell else { continue }
        let voigt = [stress.x.x, stress.y.y, stress.z.z, stress.y.z, stress.x.z, stress.x.y]
        for k in 0..<6 {
          rows.append((own.virial.row(k) + [0, voigt[k] * cell.volume]).map { $0 * 0.5 * factor / atoms })
        }
      }
    }
    let columns = rows[0].count - 1
    let matrix = Matrix(rows.map { Array($0.prefix(columns)) }, columns: columns)
    let svd = try SingularValues(matrix)
    let along = svd.left.transposedTimes(rows.map { $0[columns] })
    let solution = svd.right.transposedTimes(zip(along, svd.values).map { $0 / $1 })
    let found = try world.coefficients(outcome)
    let condition = svd.values.first! / svd.values.last!
    #expect(found.count == solution.count && condition < 1e9)
    // Both solve the same problem; what is left is rounding, times how ill it is conditioned.
    for (a, b) in zip(found, solution) { #expect(abs(a - b) < 1e-13 * condition * max(1, abs(b))) }
  }

  @Test func noChangeOfTheFitFeaturizesAgain() throws {
    let world = World()
    world.inbox.drop(Self.drops(), into: "ingest")
    let first = try world.run(Self.exact)
    #expect(first.record.stage("featurize").counters["sources featurized"] == 6)
    var results: Set<[Double]> = [try world.coefficients(first)]
    for change in [
      "weights: { energy: 100 }", "weights: { groups: { warm: { forces: 0.1 } } }",
      "weights: { normalisation: 'total' }",
      "weights: { byEnergy: { above: 'lowest' } }", "weights: { byEnergy: { above: 'hull', cutoff: 0.5 } }",
      "referenceEnergies: { W: -4 }", "test: { groups: ['warm'] }", "weights: { stress: 0 }",
    ] {
      let outcome = try world.run(Self.exact + ", " + change)
      #expect(outcome.record.busy == ["refit"], "\(change)")
      #expect(outcome.record.stage("refit").counters["sources featurized"] == nil)
      #expect(try results.insert(world.coefficients(outcome)).inserted, "\(change) changes the fit")
    }
    for same in ["outliers: { method: 'none' }", "referenceMethod: 'least-squares'", "test: { groups: ['nobody'] }"] {
      let outcome = try world.run(Self.exact + ", " + same)
      #expect(try !results.insert(world.coefficients(outcome)).inserted, "\(same) changes nothing")
    }
  }

  @Test func outliersAreNamedAndCountLess() throws {
    var units = (0..<10).map { number in
      InMemoryDrops.Unit(
        "good/run\(number).xml", group: "good", Samples.run(UInt64(number + 60), amplitude: 0.1).vasprun())
    }
    var wrong = Samples.frames(90, count: 4, amplitude: 0.1)
    for index in wrong.indices { wrong[index].labels.energy! += 1.5 * Double(wrong[index].count) }
    let sick = VASPRun(title: "sick", kind: .molecularDynamics, steps: wrong)
    units.append(.init("good/wrong settings.xml", group: "good", sick.vasprun()))

    let world = World()
    world.inbox.drop(units, into: "ingest")
    let outcome = try world.run(Self.exact + ", outliers: { method: 'downweight' }")
    let warnings = outcome.record.stage("refit").diagnostics.filter { $0.code == "outlier" }
    // Steps of two levels of energy are told apart.
    #expect((1...2).contains(warnings.count) && warnings.allSatisfy { $0.place.file == "good/wrong settings.xml" })
    #expect(warnings.allSatisfy { $0.cause.contains("energy errors") }, "\(warnings)")
    let summary = try world.summary(outcome)
    #expect(summary.outliers.flatMap(\.steps).sorted() == [0, 1, 2, 3])
    for outlier in summary.outliers {
      #expect(outlier.quantity == "energy" && outlier.error > 900 && outlier.limit < 200)
      #expect(outlier.multiplier * outlier.error <= outlier.limit)
    }

    func goodErrors(_ outcome: RunOutcome) throws -> Double {
      let potential = try Potential(yaml: world.part(outcome, "potential.yaml"))
      let evaluator = Evaluator(potential.basis)
      let frames = (0..<10).flatMap { Samples.frames(UInt64($0 + 60), amplitude: 0.1) }
      return try frames.reduce(0) { sum, frame in
        sum + abs(try evaluator.evaluate(potential, frame).energy - frame.labels.energy!) / Double(frame.count)
      } / Double(frames.count)
    }
    let (plain, robust) = (try world.run(Self.exact), outcome)
    let without = World()
    without.inbox.drop(Array(units.dropLast()), into: "ingest")
    #expect(try goodErrors(robust) < goodErrors(plain) / 4)

    // The same whatever the order of arrival; and nobody stands out among the good ones.
    let one = World()
    for unit in units.reversed() {
      one.inbox.drop([unit], into: "ingest")
      _ = try one.run(Self.exact + ", outliers: { method: 'downweight' }")
    }
    let again = try one.run(Self.exact + ", outliers: { method: 'downweight' }")
    #expect(again.results["refit"]?.wholes == outcome.results["refit"]?.wholes)
    let clean = try without.run(Self.exact + ", outliers: { method: 'downweight' }")
    #expect(try without.summary(clean).outliers.isEmpty)
    #expect(try without.coefficients(clean) == without.coefficients(without.run(Self.exact)))
  }

  @Test(arguments: [(20.0, ""), (20.0, "IsolatedAtom"), (3.9, "isolated_atom")])
  func isolatedAtomsGiveReferenceEnergies(_ edge: Double, _ group: String) throws {
    func atom(_ energy: Double, edge: Double) -> Configuration {
      var atom = Configuration(
        species: [Element(symbol: "W")!], positions: [[1, 1, 1]],
        cell: Cell(vectors: edge * Matrix3.identity, periodic: .all),
        labels: Labels(energy: energy, forces: [[0, 0, 0]]))
      atom.provenance.group = group.isEmpty ? nil : group
      return atom
    }
    let world = World()
    world.inbox.drop(Self.drops(), into: "ingest")
    let without = try world.run(Self.exact)
    // Of several the lowest, as the ground state of the atom.
    world.inbox.drop(
      [.init("atom.xyz", Samples.extendedXYZ([atom(-4.1, edge: edge), atom(-4.625, edge: 1.01 * edge)]))],
      into: "ingest")
    let outcome = try world.run(Self.exact)
    #expect(try world.summary(outcome).referenceEnergies == [-4.625])
    #expect(try world.summary(outcome).referenceEnergyMethod == "isolated atoms")
    #expect(try world.summary(outcome).rows == world.summary(without).rows + 1, "no row of its own, and no E0 to fit")
    let given = try world.run(Self.exact + ", referenceEnergies: { W: -4.625 }")
    #expect(given.record.stage("featurize").ran == 0)
    #expect(try world.coefficients(given) == world.coefficients(outcome))
    #expect(try world.summary(given).referenceEnergyMethod == "given")
    let fitted = try world.run(Self.exact + ", referenceMethod: 'least-squares'")
    #expect(fitted.record.stage("featurize").ran == 0)
    #expect(try world.summary(fitted).referenceEnergyMethod == "least squares")
    #expect(try world.summary(fitted).rows == world.summary(without).rows + 2, "two energies more")
    #expect(try world.summary(fitted).referenceEnergies != [-4.625])
  }

  @Test func whatTestsIsNeverLearnedFrom() throws {
    let world = World()
    world.inbox.drop(Self.drops(), into: "ingest")
    let outcome = try world.run(Self.exact + ", test: { groups: ['warm'] }")
    let ignored = try world.run(
      Self.exact + ", weights: { groups: { warm: { energy: 0, forces: 0, stress: 0 } } }")
    #expect(try world.coefficients(outcome) == world.coefficients(ignored))
    let lines = try world.summary(outcome).errors
    let test = try #require(lines.first { $0.group == "all" && $0.quantity == "energy" && $0.heldOut })
    #expect(test.count == 5)
    #expect(lines.first { $0.group == "all" && $0.quantity == "energy" && !$0.heldOut }?.count == 20)
    #expect(!lines.contains { $0.group == "warm" && !$0.heldOut })

    let source = try #require(
      outcome.results["ingest"]?.collections[.configurations]?.first { $0.source.name == "frames.xyz" }
    ).source
    let whole = try world.run(Self.exact + ", test: { sources: ['\(source.digest.description.prefix(10))'] }")
    let apart = World()
    apart.inbox.drop(Self.drops().filter { $0.name != "frames.xyz" }, into: "ingest")
    #expect(try world.coefficients(whole) == apart.coefficients(apart.run(Self.exact)))
    #expect(try world.summary(whole).errors.first { $0.group == "all" && $0.heldOut }?.count == 10)
  }

  @Test func nothingToLearnFromIsSaid() throws {
    let world = World()
    world.inbox.drop(Self.drops(), into: "ingest")
    for nothing in [
      "weights: { energy: 0, forces: 0, stress: 0 }", "weights: { byEnergy: { above: 'hull', cutoff: 1e-9 } }",
    ] {
      do {
        _ = try world.run(Self.exact + ", " + nothing)
        Issue.record("\(nothing) was fitted")
      } catch let error as RunError {
        #expect(error.kind == .input && error.cause.contains("no row is left to learn from"), "\(error)")
      }
    }
  }

  @Test func aTestHasNoSayInShortRangeAndWeights() throws {
    let options = "weights: { byEnergy: { above: 'hull' } }, heldOut: 0"
    let featurize = "cutoff: 4.2, order: 2, functions: 8"
    let world = World()
    world.inbox.drop(Self.drops(), into: "ingest")
    let first = try world.run(options, featurize: featurize)
    // Squeezed further than anything, and lower than anything.
    var frames = Samples.frames(7, count: 3, strain: -0.2)
    for index in frames.indices { frames[index].labels.energy! -= 900 }
    for index in frames.indices { frames[index].provenance.group = "validation" }
    world.inbox.drop([.init("validation.xyz", Samples.extendedXYZ(frames))], into: "ingest")
    let tested = try world.run(options + ", test: { groups: ['validation'] }", featurize: featurize)
    #expect(try world.part(tested, "potential.yaml") == world.part(first, "potential.yaml"))
  }

  @Test(arguments: [LawViolation.Law.fold, .proportion, .identity, .resumability])
  func lawsHoldWithAllOptions(_ law: LawViolation.Law) throws {
    var pipeline = TinyPipeline()
    pipeline.refit = """
      weights: { energy: 10, groups: { warm: { stress: 0.2 } }, normalisation: 'total',
        byEnergy: { above: 'hull', softness: 0.3 } },
      outliers: { method: 'downweight', threshold: 1 }, test: { groups: ['cold'] }, when: { sources: 2, every: 5 },
      referenceMethod: 'least-squares', ensemble: { method: 'bootstrap', members: 3 }
      """
    let (_, plan) = try pipeline.load(in: "/nowhere")
    let drops = LawDrops(
      good: [
        ("candidates", .init("pool.xyz", Samples.pool)), ("ingest", .init("frames.xyz", Samples.collection)),
      ]
        + (0..<9).map { number in
          ("ingest", .init("run\(number).xml", Samples.run(UInt64(number + 1), count: 1, amplitude: 0.05).vasprun()))
        })
    let violations = try checkStageLaws(plan, drops, laws: [law], samples: 2)
    #expect(violations.isEmpty, "\(violations)")
  }

  /// The real measure of drift: more of the same waits, something else does not.
  @Test func newDataThatFitWaitAndOthersDoNot() throws {
    let world = World()
    world.inbox.drop(
      (0..<8).map { .init("run\($0).xml", Samples.run(UInt64($0 + 1), amplitude: 0.1).vasprun()) }, into: "ingest")
    let (when, start) = (", when: { drift: 5 }", Timestamp(seconds: 1_800_000_000))
    let options = "heldOut: 0.3"
    let first = try world.run(options, when: when, now: start)
    #expect(first.record.waiting == nil)
    world.inbox.drop([.init("more.xml", Samples.run(20, amplitude: 0.1).vasprun())], into: "ingest")
    let second = try world.run(options, when: when, now: start + .seconds(60))
    let words = try #require(second.record.waiting?.words)
    #expect(words.contains("new sources are described well enough") && words.contains("was expected"), "\(words)")
    world.inbox.drop([.init("squeezed.xml", Samples.run(21, strain: -0.12).vasprun())], into: "ingest")
    let third = try world.run(options, when: when, now: start + .seconds(120))
    #expect(third.record.waiting == nil)
    let fresh = World()
    fresh.inbox.drop(
      (0..<8).map { .init("run\($0).xml", Samples.run(UInt64($0 + 1), amplitude: 0.1).vasprun()) }
        + [
          .init("more.xml", Samples.run(20, amplitude: 0.1).vasprun()),
          .init("squeezed.xml", Samples.run(21, strain: -0.12).vasprun()),
        ], into: "ingest")
    #expect(try fresh.run(options).results["refit"]?.wholes == third.results["refit"]?.wholes)
  }
}
