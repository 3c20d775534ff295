import Engine
import Foundation
import StageKit

let version = "0.1.0"

/// All commands, in the order of the help.
let commands: [Command] = [
  runCommand, watchCommand, checkCommand, statusCommand, explainCommand, retryCommand, verifyCommand,
  repairCommand, cancelCommand, workCommand, stagesCommandEntry, fitCommand, convertCommand, predictCommand,
  basisCommand, exportCommand,
]

/// Runs what was typed; the exit code.
func runProgram(_ words: [String]) -> Int32 {
  guard let name = words.first, !["--help", "-h", "help"].contains(name) else {
    print(Help.program(commands, version: version))
    return words.isEmpty ? 2 : 0
  }
  if name == "--version" {
    print("sluice \(version)")
    return 0
  }
  guard let command = commands.first(where: { $0.name == name }) else {
    complain("unknown command '\(name)'" + didYouMean(name, among: commands.map(\.name)))
    return 2
  }
  let rest = Array(words.dropFirst())
  if rest.contains("--help") || rest.contains("-h") {
    print(Help.command(command))
    return 0
  }
  do {
    return try command.run(try Arguments(rest, for: command))
  } catch let error as UsageError {
    complain(error.description)
    return 2
  } catch let error as ParameterError {
    complain(error.description)
    return 2
  } catch let error as LockError {
    complain(error.description)
    if case .held = error { return 75 }
    return 1
  } catch let error as RunError {
    complain(error.description)
    return error.kind == .pipeline ? 2 : 1
  } catch {
    complain("\(error)")
    return 1
  }
}

/// A line on standard error.
func complain(_ message: String) {
  FileHandle.standardError.write(Data("sluice: \(message)\n".utf8))
}

/// A line on standard error without the program's name.
func tell(_ message: String) {
  FileHandle.standardError.write(Data("\(message)\n".utf8))
}
