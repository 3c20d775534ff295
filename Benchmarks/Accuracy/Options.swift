// What to fit and how, as the command line says it.

import ACE
import LinearAlgebra
import Regression

struct UsageError: Error, CustomStringConvertible {
  let description: String
}

/// A prior by name, made for a basis.
struct PriorChoice: Sendable {
  let name: String
  private let power: Int
  private let angular: Double
  private let radial: Double

  /// `ridge`, `smoothness` or `smoothness-unit`, the latter two with `:p:wl:wn` behind it.
  init(_ text: String) throws {
    name = text
    let parts = text.split(separator: ":").map(String.init)
    guard let first = parts.first, ["ridge", "smoothness", "smoothness-unit"].contains(first) else {
      throw UsageError(description: "prior '\(text)': ridge, smoothness or smoothness-unit, then perhaps :p:wl:wn")
    }
    let given = try parts.dropFirst().map { try number($0) }
    power = given.isEmpty ? 4 : Int(given[0])
    angular = given.count > 1 ? given[1] : 2.0 / 3.0
    radial = given.count > 2 ? given[2] : 1
  }

  func prior(_ basis: Basis) -> Prior {
    guard !name.hasPrefix("ridge") else { return .ridge }
    let gamma = Prior.smoothness(
      factors: basis.columnFunctions.map { zip($0.ns, $0.ls).map { (n: $0, l: $1) } }, p: power, wl: angular,
      wn: radial)
    return .smoothness(gamma, onUnitColumns: name.hasPrefix("smoothness-unit"))
  }
}

/// One basis on one data set; every combination of weights, priors and regularisations is fitted.
struct Options {
  var title = ""
  var training: [String] = []
  var test: [String] = []
  /// A file of frame numbers (as `sid` begins): those train, the others of the same `source` test.
  var trainingNumbers: String?
  /// Only frames whose property `source` says this.
  var onlySource: String?
  var functions = 500
  /// The functions are chosen by the training data among so many; nil where they are the simplest.
  var chooseFrom: Int?
  var order = 4
  var cutoff = 5.0
  var radial = RadialKind.sBessel
  var limits: BasisSpecification.Limits?
  var ordering = FunctionOrdering.standard
  /// With the stress weight that the data choose where it says so.
  var weights = [(weights: Weights(), choosesStress: false)]
  var priors: [PriorChoice] = []
  var regularisations: [(name: String, value: Regularisation)] = [("evidence", .evidence)]
  var threads = 2
  /// Every n-th training frame is used: how a setting does with few data.
  var every = 1
  /// Largest number of training frames whose errors are measured; they do not touch the fit.
  var trainingErrors = Int.max
  /// Core repulsion of all pairs.
  var repels = false
  /// Number of folds of the training frames for cross-validation; 0 for none.
  var folds = 0
  /// Radial functions mixed for the pairs' own distances.
  var adapted: AdaptedRadial?
  var totalDegree: TotalDegree?
  /// Every n-th frame of each `config_type` of the training files tests instead; 0 for none.
  var testEvery = 0
  /// Largest number of elements that a function involves, its centre's included.
  var elementsPerFunction: Int?
  /// Errors by `config_type`, too.
  var byGroup = false
  /// Weight of the short-range anchors; nil for none, and then nothing is scanned.
  var anchors: Double?

  static let usage = """
    usage: accuracy-benchmark [table [NAME] | fit OPTIONS]
      table      the tables of docs/accuracy.md, or one of them: functions, chosen, orderings,
                 cutoffs, radial, anchors, alloys;
                 the reference data are in $SLUICE_SHARED or ../shared
      fit        --train FILES --test FILES (extended XYZ, perhaps compressed; commas between)
                 --train-numbers FILE --source NAME   split one list of files by the numbers in `sid`
                 --test-every N   every n-th frame of each config_type tests  --by-group yes|no
                 --functions N --choose-from N (per element, as sluice fit has them) --order N --elements-per-function N
                 --cutoff Å --radial SBessel|ChebExpCos:LAMBDA|ChebPow:LAMBDA
                 --repulsion none|auto  --anchors WEIGHT (then the short range is scanned)
                 --folds N  --adapted K:FROM:TO:DECAY:ANGULAR:ENVELOPE:DERIVATIVE
                 --ordering N,L,RANK (what one unit of n, of l and a factor cost)
                 --degree D1,D2,…[:wn:wl]
                 --nradmax N,… --lmax L,… (by rank)   --threads N --training-errors FRAMES --every N
                 --weights E/F/S,… (S may be auto)  --prior ridge|smoothness[-unit][:p:wl:wn],…
                 --regularisation evidence|gcv|NUMBER,…   (all combinations of the three)
    """

  init() { priors = [try! PriorChoice("smoothness")] }

  init(_ arguments: [String]) throws {
    self.init()
    var rest = arguments[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { throw UsageError(description: "\(name) needs a value") }
      try set(name, value)
    }
    guard !training.isEmpty else { throw UsageError(description: "no training data") }
    title = training.map { String($0.split(separator: "/").last ?? "") }.joined(separator: " ")
  }

  mutating func set(_ name: String, _ value: String) throws {
    let list = value.split(separator: ",").map(String.init)
    switch name {
    case "--train": training = list
    case "--test": test = list
    case "--train-numbers": trainingNumbers = value
    case "--source": onlySource = value
    case "--functions": functions = try integer(value)
    case "--choose-from": chooseFrom = try integer(value)
    case "--order": order = try integer(value)
    case "--cutoff": cutoff = try number(value)
    case "--threads": threads = try integer(value)
    case "--every": every = max(1, try integer(value))
    case "--training-errors": trainingErrors = try integer(value)
    case "--folds": folds = try integer(value)
    case "--adapted": adapted = try AdaptedRadial(value)
    case "--test-every": testEvery = try integer(value)
    case "--elements-per-function": elementsPerFunction = try integer(value)
    case "--by-group": byGroup = value == "yes"
    case "--ordering":
      let costs = try list.map(integer)
      guard costs.count == 3 else { throw UsageError(description: "--ordering N,L,RANK") }
      ordering = FunctionOrdering(radial: costs[0], angular: costs[1], rank: costs[2])
    case "--degree": totalDegree = try Self.degree(value)
    case "--repulsion": repels = value == "auto"
    case "--anchors": anchors = try number(value)
    case "--radial": radial = try Self.radial(value)
    case "--nradmax": limits = .init(radial: try list.map(integer), angular: limits?.angular ?? [])
    case "--lmax": limits = .init(radial: limits?.radial ?? [], angular: try list.map(integer))
    case "--weights": weights = try list.map(Self.weights)
    case "--prior": priors = try list.map(PriorChoice.init)
    case "--regularisation":
      regularisations = try list.map {
        switch $0 {
        case "evidence": ($0, .evidence)
        case "gcv": ($0, .generalisedCrossValidation)
        default: ($0, .fixed(try number($0)))
        }
      }
    default: throw UsageError(description: "unknown option \(name)")
    }
  }

  private static func radial(_ text: String) throws -> RadialKind {
    let parts = text.split(separator: ":").map(String.init)
    switch (parts.first, parts.count) {
    case ("SBessel", 1): return .sBessel
    case ("ChebExpCos", 2): return .chebExpCos(lambda: try number(parts[1]))
    case ("ChebPow", 2): return .chebPow(lambda: try number(parts[1]))
    default: throw UsageError(description: "radial '\(text)'")
    }
  }

  /// D1,D2,…[:wn:wl].
  static func degree(_ text: String) throws -> TotalDegree {
    let parts = text.split(separator: ":").map(String.init)
    return TotalDegree(
      try parts[0].split(separator: ",").map { try number(String($0)) },
      radialWeight: parts.count > 1 ? try number(parts[1]) : 1,
      angularWeight: parts.count > 2 ? try number(parts[2]) : 2.0 / 3)
  }

  private static func weights(_ text: String) throws -> (weights: Weights, choosesStress: Bool) {
    let choosesStress = text.hasSuffix("/auto")
    let parts = try text.split(separator: "/").map { $0 == "auto" && choosesStress ? 1 : try number(String($0)) }
    guard parts.count == 3 else { throw UsageError(description: "weights are E/F/S, not '\(text)'") }
    return (Weights(energy: parts[0], forces: parts[1], stress: parts[2]), choosesStress)
  }
}

private func integer(_ text: String) throws -> Int {
  guard let value = Int(text) else { throw UsageError(description: "'\(text)' is not a whole number") }
  return value
}

func number(_ text: String) throws -> Double {
  guard let value = Double(text) else { throw UsageError(description: "'\(text)' is not a number") }
  return value
}
