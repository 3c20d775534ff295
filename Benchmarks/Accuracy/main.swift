// Fits linear ACE to published data in published splits and prints its errors; docs/accuracy.md sets
// them beside what others reach. Run by hand, never as a test.

import Foundation
import LinearAlgebra

useSingleThreadedBLAS()
let arguments = Array(CommandLine.arguments.dropFirst())
do {
  switch arguments.first {
  case "fit":
    let options = try Options(Array(arguments.dropFirst()))
    try Study(options, DataSet(options)).run()
  case "table":
    try runTables(
      arguments.dropFirst().first, shared: ProcessInfo.processInfo.environment["SLUICE_SHARED"] ?? "../shared")
  default:
    print(Options.usage)
  }
} catch {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(1)
}
