extension TextTable {
  /// The ranked list as the command line prints it; at most `limit` entries.
  public static func candidates(_ candidates: [Candidate], limit: Int = .max) -> TextTable {
    var table = TextTable(columns: [
      Column("rank", .right), Column("score", .right), Column("global", .right),
      Column("local", .right), Column("dF eV/Å", .right), Column("cluster", cut: .atEnd),
      Column("atom"), Column("formula", cut: .atEnd), Column("source", cut: .atStart),
      Column("frame", .right), Column("reason", cut: .atEnd),
    ])
    let grades = NumberText.grades(.plain)
    for entry in candidates.prefix(limit) {
      table.add([
        String(entry.rank), grades.grade(entry.score), grades.grade(entry.globalGrade),
        grades.grade(entry.localGrade), entry.forceDeviation.map { grades.fixed($0, 3) } ?? "-",
        entry.clusterText, entry.atomText, entry.formula, entry.source, String(entry.frame),
        entry.reason,
      ])
    }
    return table
  }

  /// Errors per group: MAE, RMSE and maximum of energies (meV/atom), forces (meV/Å) and stress (GPa).
  public static func errors(_ errors: [GroupErrors]) -> TextTable {
    var columns = [Column("group", cut: .atEnd), Column("data")]
    for quantity in ErrorQuantity.allCases {
      columns.append(Column(quantity.title.lowercased(), .right))
      for measure in ["MAE", "RMSE", "max \(quantity.unit)"] {
        columns.append(Column(measure, .right))
      }
    }
    var table = TextTable(columns: columns)
    let numbers = NumberText(.plain)
    for row in errors {
      var cells = [row.group, row.part.rawValue]
      for quantity in ErrorQuantity.allCases {
        let places = quantity.places(errors)
        guard let measures = quantity.measures(row) else {
          cells += ["-", "-", "-", "-"]
          continue
        }
        cells.append(String(measures.count))
        cells += [measures.meanAbsolute, measures.rootMeanSquare, measures.largest].map {
          numbers.fixed($0 * quantity.factor, places)
        }
      }
      table.add(cells)
    }
    return table
  }
}

extension Candidate {
  /// "3 surface", "3", or "-".
  package var clusterText: String {
    guard let nearestCluster else { return clusterLabel.isEmpty ? "-" : clusterLabel }
    return clusterLabel.isEmpty ? String(nearestCluster) : "\(nearestCluster) \(clusterLabel)"
  }

  /// "37 Fe", "37", or "-".
  package var atomText: String {
    guard let atom else { return atomElement.isEmpty ? "-" : atomElement }
    return atomElement.isEmpty ? String(atom) : "\(atom) \(atomElement)"
  }
}

/// What errors are shown of, and in which unit.
package enum ErrorQuantity: CaseIterable, Sendable {
  case energy
  case force
  case stress

  package var title: String {
    switch self {
    case .energy: "Energy"
    case .force: "Forces"
    case .stress: "Stress"
    }
  }

  package var unit: String {
    switch self {
    case .energy: "meV/atom"
    case .force: "meV/Å"
    case .stress: "GPa"
    }
  }

  /// From house units to the unit shown; 1 eV/Å³ = 160.2176634 GPa exactly (SI 2019).
  package var factor: Double { self == .stress ? 160.2176634 : 1000 }

  package func measures(_ row: GroupErrors) -> ErrorMeasures? {
    switch self {
    case .energy: row.energy
    case .force: row.force
    case .stress: row.stress
    }
  }

  /// Decimals that leave the smallest finite RMSE of the table two significant digits, at most 3.
  package func places(_ errors: [GroupErrors]) -> Int {
    let smallest =
      errors.compactMap { measures($0).map { $0.rootMeanSquare * factor } }
      .filter { $0.isFinite && $0 > 0 }.min() ?? 1
    return min(3, max(0, 2 - DecimalDigits(smallest).point))
  }
}
