// Fits linear ACE to published data with published splits and prints the errors beside nothing but the
// setting: docs/accuracy.md holds what others reach. Run by hand, never as a test.

import LinearAlgebra

useSingleThreadedBLAS()
let arguments = Array(CommandLine.arguments.dropFirst())
do {
  guard arguments.first == "fit" else { throw UsageError(description: Options.usage) }
  let options = try Options(Array(arguments.dropFirst()))
  try Study(options, DataSet(options)).run()
} catch {
  print(error)
}
