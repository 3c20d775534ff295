let convertCommand = Command(
  name: "convert", operands: "", operandCount: 0...1000, summary: "", options: [], examples: []
) { _ in 1 }
