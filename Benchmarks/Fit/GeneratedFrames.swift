import Configurations
import Foundation
import TungstenReference

/// Strained, displaced bcc tungsten of 100 atoms with the labels of a published embedded-atom potential.
enum GeneratedFrames {
  static func write(to folder: String, first: Int, count: Int, perFile: Int) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let potential = FinnisSinclairTungsten()
    for number in first..<first + count {
      var bytes: [UInt8] = []
      var random = RandomNumbers(seed: UInt64(number))
      for _ in 0..<perFile {
        let strain = TungstenStructures.randomStrain(0.015, &random)
        let cell = TungstenStructures.bulk((5, 5, 2), strain: strain)
        let amplitude = 0.05 + 0.05 * abs(random.normal())
        let frame = potential.label(TungstenStructures.displaced(cell, amplitude: amplitude, &random))
        ExtendedXYZWriter().append(frame, to: &bytes)
      }
      let digits = String(number)
      let name = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/frames-\(name).xyz"))
    }
  }
}
