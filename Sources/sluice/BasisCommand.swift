// Parameters, a pipeline or a potential come in; the functions of the basis and what they cost go out.

import ACE
import Configurations
import Engine
import Featurize
import Foundation
import Platform
import Report
import StageKit
import TrainingRows

let basisCommand = Command(
  name: "basis", operands: "[PIPELINE|POTENTIAL|BASIS]", operandCount: 0...1,
  summary: """
    Lists the functions of an ACE basis and what they cost, before anyone fits.

    The basis is that of the options, of a pipeline file's featurize stage, of a potential (.yaml, .yace), or of a
    basis.json that 'sluice fit --choose-from' wrote. Options
    have the names and defaults of featurize's parameters (sluice stages featurize). Every function: its elements
    (the neighbours), n and l of its factors, the L of its coupling, its level, and its column.
    """,
  options: [
    Option("elements", short: "e", value: "SYMBOLS", "The elements, as W,Re; without a file."),
    Option("cutoff", value: "ANGSTROM", "How far an atom sees its neighbours; default 5."),
    Option("order", value: "RANK", "Largest number of neighbours in one function, 1 to 6; default 4."),
    Option("functions", value: "N", "Functions per element, the simplest first; default 500."),
    Option("degree", value: "D[,D…]", "In place of --functions: the largest level, for all ranks or for each."),
    Option("costs", value: "N,L,F", "What one unit of n, of l and each factor cost in the level; default 2,1,5."),
    Option("radial-weight", value: "W", "What n is divided by in the level; default 1."),
    Option("angular-weight", value: "W", "What l is divided by in the level; default 2/3."),
    Option("elements-per-function", value: "N", "Most elements in one function, its centre's included; default all."),
    Option("radial", value: "KIND", "SBessel (default), ChebExpCos or ChebPow."),
    Option("lambda", value: "NUMBER", "Parameter of ChebExpCos (5.25) and ChebPow (2)."),
    Option("density", value: "NUMBER", "Atoms per Å³, which the cost depends on; default 0.0625."),
    Option("summary", "Leave out the list of functions."),
    Option("no-timing", "Count operations only; nothing is timed and the output is always the same."),
    Option("json", "Everything as JSON on standard output."),
  ],
  examples: [
    "sluice basis --elements W --cutoff 5 --order 4 --functions 500",
    "sluice basis --elements Cu,Zr --order 3 --degree 16,12,10 --summary",
    "sluice basis pipelines/tungsten.json5 --json", "sluice basis potential.yace",
  ],
  run: listBasis)

/// Names of the options that describe a basis, and of the parameters they stand for.
private let descriptions = [
  "cutoff": "cutoff", "order": "order", "functions": "functions", "degree": "degree", "costs": "costs",
  "elements-per-function": "elementsPerFunction", "radial-weight": "radialWeight", "angular-weight": "angularWeight",
  "radial": "radial", "lambda": "lambda",
]

private func listBasis(_ arguments: Arguments) throws -> Int32 {
  let density = try number(arguments, "density", default: 0.0625)
  guard density >= 1e-4, density <= 1 else { throw UsageError("--density must lie in 0.0001...1 atoms per Å³") }
  let listing: BasisListing
  do {
    if let file = arguments.operands.first {
      for option in ["elements"] + descriptions.keys.sorted() where arguments.has(option) {
        throw UsageError("--\(option) goes without a file; '\(printable(file))' says what the basis is")
      }
      listing = try listingOfFile(file)
    } else {
      listing = try BasisListing(described(arguments))
    }
  } catch let error as ACEError {
    throw UsageError(error.description)
  } catch let error as Diagnostic {
    complain("\(error)")
    return 1
  }
  let cost = try BasisCost(listing.basis, density: density, timed: !arguments.has("no-timing"))
  if arguments.has("json") {
    let record = BasisRecord(listing, cost, functions: !arguments.has("summary"))
    FileHandle.standardOutput.write(Data(try CanonicalJSON.encode(record, pretty: true)))
    return 0
  }
  var text = arguments.has("summary") ? "" : listing.functionTable + "\n"
  text += listing.blockTable + "\n" + cost.text
  print(text, terminator: "")
  return 0
}

private func listingOfFile(_ file: String) throws -> BasisListing {
  let lower = file.lowercased()
  guard lower.hasSuffix(".json5") || lower.hasSuffix(".json") else {
    return BasisListing(basis: try PotentialInput(file).potential.basis, specification: nil)
  }
  let fileSystem = PosixFileSystem()
  if lower.hasSuffix(".json"), let bytes = try fileSystem.readFileIfPresent(file), BasisFile.isClaimed(by: bytes) {
    return try BasisListing(BasisFile.specification(bytes, name: file))
  }
  let (_, plan) = try load(file)
  for planned in plan.stages {
    guard case .mapping(let stage) = planned.work, let featurize = stage as? FeaturizeStage else { continue }
    let attachments = try planned.attachments.map { named, path in
      Attachment(path: named, name: Path.name(path), bytes: try fileSystem.readFile(path))
    }
    return try BasisListing(featurize.specification(elements: plan.elements, attachments: attachments))
  }
  throw UsageError("'\(printable(file))' has no featurize stage")
}

/// The options through the same strict reading as a pipeline file's parameters.
private func described(_ arguments: Arguments) throws -> BasisSpecification {
  guard let symbols = arguments.value("elements") else {
    throw UsageError("name the elements (--elements W,Re), a pipeline file or a potential")
  }
  var elements: [Element] = []
  for symbol in symbols.split(separator: ",") {
    guard let element = Element(symbol: symbol) else {
      throw UsageError("--elements: '\(symbol)' is no chemical symbol")
    }
    elements.append(element)
  }
  guard !elements.isEmpty, Set(elements).count == elements.count else {
    throw UsageError("--elements must name every element once")
  }
  var members: [ParameterValue.Member] = []
  for (option, name) in descriptions.sorted(by: { $0.key < $1.key }) {
    guard let text = arguments.value(option) else { continue }
    let content: ParameterValue.Content
    switch option {
    case "radial": content = .text(text)
    case "degree", "costs":
      content = .list(
        try text.split(separator: ",", omittingEmptySubsequences: false).map {
          ParameterValue(.number(try number(String($0), option)))
        })
    default: content = .number(try number(text, option))
    }
    members.append(
      .init(key: name, keyPlace: TextPlace(line: 0, column: 0), value: ParameterValue(content)))
  }
  do throws(ParameterError) {
    var decoder = try ParameterDecoder(ParameterValue(.object(members)))
    return try BasisParameters(&decoder).specification(elements: elements)
  } catch { throw UsageError(error.message) }
}

private func number(_ arguments: Arguments, _ option: String, default fallback: Double) throws -> Double {
  try arguments.value(option).map { try number($0, option) } ?? fallback
}

private func number(_ text: String, _ option: String) throws -> Double {
  guard let value = Double(text), value.isFinite else {
    throw UsageError("--\(option) must be a number, not '\(printable(text))'")
  }
  return value
}
