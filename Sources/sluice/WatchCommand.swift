let watchCommand = Command(name: "watch", operands: "", operandCount: 0...1000, summary: "", options: [], examples: []) { _ in 1 }
