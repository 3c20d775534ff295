// Unlabelled frames come in, trajectories as VASP and LAMMPS lay them out go out.

import Configurations

/// Writers of the trajectory formats that candidate pools come in.
public enum TrajectoryText {
  /// XDATCAR with one header; all frames share the first one's cell and number of atoms.
  public static func xdatcar(_ frames: [Configuration], title: String) -> [UInt8] {
    let first = frames[0]
    precondition(
      frames.allSatisfy { $0.count == first.count && $0.cell == first.cell }, "one cell for all")
    var lines = [title, "  1.0"]
    for k in 0..<3 {
      lines.append((0..<3).map { fixed(first.cell!.vectors[k][$0], 13, 8) }.joined())
    }
    lines += ["   W", padded(first.count, 5)]
    for (k, frame) in frames.enumerated() {
      lines.append("Direct configuration=\(padded(k + 1, 6))")
      for f in VASPRun.fractional(frame) {
        lines.append((0..<3).map { fixed(f[$0], 12, 8) }.joined())
      }
    }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  /// A LAMMPS dump with columns id type element x y z; cells must be orthogonal with edges along the
  /// axes.
  public static func lammpsDump(_ frames: [Configuration]) -> [UInt8] {
    var text = ""
    for (k, frame) in frames.enumerated() {
      let v = frame.cell!.vectors
      text += "ITEM: TIMESTEP\n\(k * 100)\nITEM: NUMBER OF ATOMS\n\(frame.count)\n"
      text += "ITEM: BOX BOUNDS pp pp pp\n0.0 \(v.x.x)\n0.0 \(v.y.y)\n0.0 \(v.z.z)\n"
      text += "ITEM: ATOMS id type element x y z\n"
      for (id, p) in frame.positions.enumerated() {
        text += "\(id + 1) 1 W \(p.x) \(p.y) \(p.z)\n"
      }
    }
    return Array(text.utf8)
  }
}
