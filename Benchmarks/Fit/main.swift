// Times what a fit is made of, on one thread unless said: processor time, medians.
// Usage: fit-benchmark factors [columns…]           QR of rows and merges of triangles, beside dgemm and LAPACK
//        fit-benchmark scratch FILE… [--functions N] extended XYZ (also .xz): a fit from nothing, memory,
//                                                    and the same data added in lots, in two orders
//        fit-benchmark frames FOLDER FIRST COUNT [N] files of N generated 100-atom tungsten frames each
//        fit-benchmark lapack [frames…]              least squares of as many 100-atom frames, all in memory

import Foundation
import LinearAlgebra

useSingleThreadedBLAS()
let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "factors": measureFactors(arguments.dropFirst().compactMap(Int.init))
case "scratch": try ScratchFit(Array(arguments.dropFirst())).run()
case "frames":
  let numbers = arguments.dropFirst(2).compactMap(Int.init)
  guard arguments.count >= 4, numbers.count == arguments.count - 2 else { fallthrough }
  try GeneratedFrames.write(
    to: arguments[1], first: numbers[0], count: numbers[1], perFile: numbers.count > 2 ? numbers[2] : 1)
case "lapack": measureLeastSquares(arguments.dropFirst().compactMap(Int.init))
default:
  print("usage: fit-benchmark factors [columns…] | scratch FILE… | frames FOLDER FIRST COUNT [N] | lapack [frames…]")
  exit(2)
}
