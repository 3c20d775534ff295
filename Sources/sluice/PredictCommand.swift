let predictCommand = Command(
  name: "predict", operands: "", operandCount: 0...1000, summary: "", options: [], examples: []
) { _ in 1 }
