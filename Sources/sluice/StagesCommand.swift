import Engine
import StageKit

/// `sluice stages`: what a pipeline file can use, with every parameter, its default and its meaning.
func stagesCommand(_ arguments: Arguments) throws -> Int32 {
  let wanted = arguments.operands
  let known = builtInStages.map { $0.description.name } + [executorName]
  for name in wanted where !known.contains(name) {
    throw UsageError("unknown stage '\(name)'" + didYouMean(name, among: known))
  }
  for stage in builtInStages where wanted.isEmpty || wanted.contains(stage.description.name) {
    let description = stage.description
    var decoder = ParameterDecoder.describing()
    _ = try stage.init(parameters: &decoder)
    print("\(description.name) (version \(description.version))")
    print("  \(description.summary)")
    print("  takes: " + list(description.takes.map { $0.isOptional ? "\($0.kind)?" : "\($0.kind)" }))
    print("  gives: " + list(description.gives.map { "\($0.kind)" }))
    printParameters(decoder.descriptions, indent: "  ")
    if stage is any FoldStage.Type {
      var trigger = ParameterDecoder.describing()
      _ = try Trigger(parameters: &trigger)
      print("  when: object\n    Of every stage that folds all sources: when it, and those after it, run.")
      printParameters(trigger.descriptions, indent: "      ")
    }
    print("")
  }
  if wanted.isEmpty || wanted.contains(executorName) {
    var decoder = ParameterDecoder.describing()
    _ = try ExecutorOptions(&decoder)
    print("executor (of the pipeline, not a stage)")
    print("  Where actions run: 'local', 'slurm', 'manual', or an object. Results do not depend on it.")
    printParameters(decoder.descriptions, indent: "  ")
    print("")
  }
  return 0
}

private let executorName = "executor"

private func list(_ words: [String]) -> String { words.isEmpty ? "files" : words.joined(separator: ", ") }

private func printParameters(_ parameters: [ParameterDescription], indent: String) {
  for parameter in parameters {
    let unit = parameter.unit.isEmpty ? "" : " \(parameter.unit)"
    let fallback = parameter.defaultValue.map { ", default \($0)\(unit)" } ?? ", required"
    print("\(indent)\(parameter.name): \(parameter.type)\(parameter.members.isEmpty ? fallback : "")")
    print("\(indent)    \(parameter.help)")
    printParameters(parameter.members, indent: indent + "    ")
  }
}
