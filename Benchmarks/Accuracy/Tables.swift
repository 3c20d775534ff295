// The fits behind the tables of docs/accuracy.md.

/// One-element sets: cutoff (Å) and weights; all else is the same for all.
private struct Row {
  let element: String
  let cutoff: Double
  let weights: String
}

private let rows = [
  Row(element: "Ni", cutoff: 5, weights: "30/1/auto"), Row(element: "Li", cutoff: 8, weights: "30/1/auto"),
  Row(element: "Mo", cutoff: 5, weights: "30/1/auto"), Row(element: "Si", cutoff: 5, weights: "30/1/auto"),
]

/// Every table, or the one named: functions, chosen, orderings, cutoffs, radial, anchors, alloys.
func runTables(_ name: String?, shared: String) throws {
  let tables: [(name: String, run: (String) throws -> Void)] = [
    ("functions", numbersOfFunctions), ("chosen", chosenFunctions), ("orderings", orderings), ("cutoffs", cutoffs),
    ("radial", radialFunctions),
    ("anchors", anchors), ("alloys", alloys),
  ]
  guard name == nil || tables.contains(where: { $0.name == name }) else {
    throw UsageError(description: "tables are \(tables.map(\.name).joined(separator: ", "))")
  }
  for table in tables where name == nil || name == table.name {
    print("== \(table.name)")
    try table.run("\(shared)/datasets")
  }
}

/// The sets of Zuo et al. 2020 and the tungsten split of Xie et al. 2023.
private func numbersOfFunctions(_ folder: String) throws {
  for functions in [125, 250, 500, 1000] {
    for row in rows {
      var options = try options(row, folder)
      options.functions = functions
      options.folds = 4
      try run(options)
    }
    var options = tungstenOptions(folder)
    options.functions = functions
    try run(options)
  }
}

/// Functions that the training data choose; in each fold those of the other folds.
private func chosenFunctions(_ folder: String) throws {
  for functions in [500, 1000] {
    for row in rows {
      var options = try options(row, folder)
      options.functions = functions
      options.chooseFrom = 2500
      options.folds = 4
      try run(options)
    }
    var options = tungstenOptions(folder)
    options.functions = functions
    options.chooseFrom = 2500
    try run(options)
  }
}

/// Which functions a number of them are.
private func orderings(_ folder: String) throws {
  for functions in [500, 1000] {
    for (costs, order) in [("1,1,1", 4), ("2,1,5", 4), ("2,1,3", 5)] {
      for row in rows {
        var options = try options(row, folder)
        options.title += " costs \(costs), order \(order)"
        options.order = order
        options.functions = functions
        options.folds = 4
        try options.set("--ordering", costs)
        try run(options)
      }
    }
  }
}

private func cutoffs(_ folder: String) throws {
  for (element, cutoffs) in [("Li", [7, 8, 9]), ("Mo", [4.7, 5]), ("Si", [4.7, 5, 5.5])] {
    for cutoff in cutoffs {
      var options = try options(Row(element: element, cutoff: cutoff, weights: "30/1/auto"), folder)
      options.functions = 1000
      options.folds = 4
      try run(options)
    }
  }
}

/// Mixed radial functions and selection by total degree beside the standard ones.
private func radialFunctions(_ folder: String) throws {
  for row in rows {
    for mixed in [
      "20:0.001:0.01:0:0:1:3", "20:0.6:0.9:0:0:2:3", "20:0.6:0.9:0:0:2:2", "20:0.6:0.9:0:0:0:2", "20:0.6:0.9:2:1:0:2",
    ] {
      var options = try options(row, folder)
      options.title += " mixed \(mixed)"
      options.adapted = try AdaptedRadial(mixed)
      options.folds = 4
      try run(options)
    }
    var options = try options(row, folder)
    options.title += " degree 25, 21, 17"
    options.order = 3
    options.totalDegree = try Options.degree("25,21,17")
    options.folds = 4
    try run(options)
  }
}

private func anchors(_ folder: String) throws {
  for row in rows {
    for weight in [1, 0.3] {
      var options = try options(row, folder)
      options.repels = true
      options.anchors = weight
      try run(options)
    }
  }
}

private func alloys(_ folder: String) throws {
  for (functions, limit) in [(96, nil), (96, 2), (250, 2)] as [(Int, Int?)] {
    var options = Options()
    options.title = "Nb-Mo-Ta-W"
    options.training = ["elements", "binaries"].map { "\(folder)/nbmotaw/NbMoTaW_\($0).xyz.xz" }
    options.test = ["\(folder)/nbmotaw/NbMoTaW_test.xyz.xz"]
    options.functions = functions
    options.elementsPerFunction = limit
    options.byGroup = true
    try run(options)
  }
  for functions in [125, 250, 500] {
    var options = Options()
    options.title = "InP"
    options.training = ["small_cells", "216_defects"].map { "\(folder)/inp_snap/InP_\($0).xyz.xz" }
    options.testEvery = 5
    options.functions = functions
    options.byGroup = true
    try options.set("--weights", "30/1/1,100/1/1")
    try run(options)
  }
}

private func options(_ row: Row, _ folder: String) throws -> Options {
  var options = Options()
  options.title = row.element
  options.training = ["\(folder)/mlearn/\(row.element)_train.xyz.xz"]
  options.test = ["\(folder)/mlearn/\(row.element)_test.xyz.xz"]
  options.cutoff = row.cutoff
  try options.set("--weights", row.weights)
  return options
}

private func tungstenOptions(_ folder: String) -> Options {
  var options = Options()
  options.title = "W"
  options.training = tungsten.map { "\(folder)/w_hetero/\($0).xyz.xz" }
  options.trainingNumbers = "\(folder)/w_hetero/uf3_train_ids.txt"
  options.onlySource = "Szlachta2014"
  options.cutoff = 5.5
  return options
}

private func run(_ options: Options) throws {
  var options = options
  options.trainingErrors = 50
  try Study(options, DataSet(options)).run()
}

private let tungsten = [
  "A_elastic", "A_eos_phases", "B_divacancy", "B_md_bulk", "B_vacancy", "C_dislocation_quadrupole", "D_surface",
  "E_gamma_surface_vacancy", "E_interstitial", "F_disordered", "G_gamma_surface",
]
