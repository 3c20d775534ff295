import Configurations
import Platform
import Report
import StageKit

/// Ready-to-run VASP folders.
struct VASPFolders {
  private let template: [(name: String, bytes: [UInt8])]
  private let pseudopotentials: [String: [UInt8]]

  /// `template` and `pseudopotentials` are paths as the pipeline names them.
  init(_ inputs: StageInputs, template: String, pseudopotentials: [String: String]) {
    let files = inputs.attachments.filter { $0.path == template }
    self.template = files.filter { ["INCAR", "KPOINTS"].contains($0.name) }.map { ($0.name, $0.bytes) }
    self.pseudopotentials = pseudopotentials.compactMapValues { path in
      inputs.attachments.first { $0.path == path }?.bytes
    }
  }

  /// POSCAR, what the template holds, and POTCAR where the user has pointed to one for every element.
  func files(_ candidate: Candidate, _ structure: Configuration) throws -> [(name: String, bytes: [UInt8])] {
    let comment =
      "\(structure.formula) rank \(candidate.rank): \(candidate.reason); from \(candidate.source) frame \(candidate.frame)"
    var files = [(name: "POSCAR", bytes: POSCARWriter().bytes(structure, comment: comment))]
    files += template
    let elements = POSCARWriter.order(of: structure).reduce(into: [String]()) { list, atom in
      let symbol = structure.species[atom].symbol
      if list.last != symbol { list.append(symbol) }
    }
    if elements.allSatisfy({ pseudopotentials[$0] != nil }), !elements.isEmpty {
      files.append((name: "POTCAR", bytes: elements.flatMap { pseudopotentials[$0]! }))
    } else {
      files.append((name: "POTCAR.spec", bytes: Array((elements.joined(separator: "\n") + "\n").utf8)))
    }
    return files
  }
}
