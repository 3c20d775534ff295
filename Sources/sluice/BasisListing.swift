// A basis comes in, tables of its functions go out.

import ACE
import Report

/// The functions of a basis by element and block.
struct BasisListing {
  let basis: Basis
  /// nil where a potential file gave the basis.
  let specification: BasisSpecification?

  init(basis: Basis, specification: BasisSpecification?) {
    self.basis = basis
    self.specification = specification
  }

  init(_ specification: BasisSpecification) throws(ACEError) {
    self.init(basis: try Basis(specification), specification: specification)
  }

  /// A centre with the other elements that its functions involve.
  struct Block: Equatable {
    let centre: Int
    let others: [Int]
    /// By rank, index 0 for rank 1.
    var ranks: [Int]
    var largestLevel = 0.0
    var count: Int { ranks.reduce(0, +) }
  }

  /// By which functions were chosen: the level of a total degree or of the ordering; of a potential that does not say,
  /// rank + sum of n + sum of l.
  func level(_ f: BasisFunction) -> Double {
    if let degree = specification?.totalDegree { return degree.level(ns: f.ns, ls: f.ls) }
    return Double((specification?.ordering ?? .power).level(f))
  }

  func block(of f: BasisFunction) -> [Int] { [f.centre] + Set(f.neighbors).subtracting([f.centre]).sorted() }

  func symbols(_ indices: [Int]) -> String { indices.map { basis.elements[$0].symbol }.joined(separator: " ") }

  var order: Int { basis.columnFunctions.map(\.rank).max() ?? 1 }

  /// Centre by centre, unary blocks first.
  var blocks: [Block] {
    var found: [[Int]: Block] = [:]
    for f in basis.columnFunctions {
      let key = block(of: f)
      var block =
        found[key]
        ?? Block(
          centre: f.centre, others: Array(key.dropFirst()), ranks: Array(repeating: 0, count: order))
      block.ranks[f.rank - 1] += 1
      block.largestLevel = max(block.largestLevel, level(f))
      found[key] = block
    }
    return found.values.sorted { a, b in
      if a.centre != b.centre { return a.centre < b.centre }
      if a.others.count != b.others.count { return a.others.count < b.others.count }
      return a.others.lexicographicallyPrecedes(b.others)
    }
  }

  /// Functions that differ only in their coupling on one line.
  var functionTable: String {
    var table = TextTable(columns: [
      .init("column", .right), .init("centre"), .init("neighbours"), .init("rank", .right), .init("n"), .init("l"),
      .init("L"), .init("level", .right),
    ])
    let functions = basis.columnFunctions
    var start = 0
    while start < functions.count {
      let f = functions[start]
      var end = start + 1
      while end < functions.count, functions[end].centre == f.centre, functions[end].neighbors == f.neighbors,
        functions[end].ns == f.ns, functions[end].ls == f.ls
      {
        end += 1
      }
      let couplings = functions[start..<end].map { $0.couplings.map(String.init).joined(separator: " ") }
      let columns = end - start == 1 ? "\(start + 1)" : "\(start + 1)-\(end)"
      table.add([
        columns, basis.elements[f.centre].symbol, symbols(f.neighbors), "\(f.rank)",
        f.ns.map(String.init).joined(separator: " "), f.ls.map(String.init).joined(separator: " "),
        couplings.joined(separator: " | "), NumberText().short(level(f)),
      ])
      start = end
    }
    return table.text()
  }

  var blockTable: String {
    var table = TextTable(
      columns: [.init("block"), .init("functions", .right)] + (1...order).map { .init("rank \($0)", .right) }
        + [.init("level up to", .right)])
    for block in blocks {
      table.add(
        [symbols([block.centre] + block.others), "\(block.count)"] + block.ranks.map(String.init)
          + [NumberText().short(block.largestLevel)])
    }
    if blocks.count > 1 {
      table.add(
        ["all", "\(basis.columnCount)"]
          + (1...order).map { rank in "\(basis.columnFunctions.count { $0.rank == rank })" } + [""])
    }
    return table.text()
  }
}
