// The fits behind the tables of docs/accuracy.md.

/// Data set, cutoff (Å) and weights; all else is the same for all.
private struct Row {
  let element: String
  let cutoff: Double
  let weights: String
}

/// Fits the sets of Zuo et al. 2020 and the tungsten split of Xie et al. 2023.
func runTables(shared: String) throws {
  let rows = [
    Row(element: "Ni", cutoff: 5, weights: "30/1/0,30/1/1"), Row(element: "Li", cutoff: 7, weights: "30/1/1"),
    Row(element: "Mo", cutoff: 5, weights: "30/1/1"), Row(element: "Si", cutoff: 5, weights: "30/1/1"),
  ]
  for functions in [500, 1000] {
    for row in rows {
      var options = Options()
      options.title = row.element
      options.training = ["\(shared)/datasets/mlearn/\(row.element)_train.xyz.xz"]
      options.test = ["\(shared)/datasets/mlearn/\(row.element)_test.xyz.xz"]
      options.cutoff = row.cutoff
      options.functions = functions
      try options.set("--weights", row.weights)
      try Study(options, DataSet(options)).run()
    }
    var options = Options()
    options.title = "W"
    options.training = tungsten.map { "\(shared)/datasets/w_hetero/\($0).xyz.xz" }
    options.trainingNumbers = "\(shared)/datasets/w_hetero/uf3_train_ids.txt"
    options.onlySource = "Szlachta2014"
    options.cutoff = 5.5
    options.functions = functions
    try Study(options, DataSet(options)).run()
  }
}

private let tungsten = [
  "A_elastic", "A_eos_phases", "B_divacancy", "B_md_bulk", "B_vacancy", "C_dislocation_quadrupole", "D_surface",
  "E_gamma_surface_vacancy", "E_interstitial", "F_disordered", "G_gamma_surface",
]
