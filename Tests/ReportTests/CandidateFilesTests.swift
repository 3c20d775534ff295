import Foundation
import Report
import Testing

@Suite struct CandidateFilesTests {
  private let entries = [
    Candidate(
      rank: 1, id: "ab12", formula: "W54", atomCount: 54, score: .infinity, globalGrade: 3.25,
      localGrade: .infinity, forceDeviation: 0.1, energyDeviation: 0.002, stressDeviation: 1e-4, nearestCluster: 2,
      clusterLabel: "surface",
      atom: 37, atomElement: "W", source: "pool/a, \"b\".xyz", frame: 0,
      reason: "atom 37, W\noutside", folder: "structures/0001-ab12"),
    Candidate(
      rank: 2, id: "cd34", formula: "W", atomCount: 1, score: 1e-7, globalGrade: .nan,
      localGrade: 5, source: "p\u{1}\\\u{2028}", frame: 12),
  ].enumerated().map { index, entry in
    var entry = entry
    if index == 1 { (entry.energyUncertainty, entry.forceUncertainty) = (0.003, 0.08) }
    return entry
  }

  @Test func csvIsQuoted() {
    let lines = CandidateFiles.csv(entries)
    #expect(
      lines.hasSuffix(
        """
        folder,energy_uncertainty_eV_per_atom,force_uncertainty_eV_per_A
        1,ab12,W54,54,inf,3.25,inf,true,0.1,0.002,0.0001,2,surface,37,W,"pool/a, ""b"".xyz",0,"atom 37, W
        outside",structures/0001-ab12,,
        2,cd34,W,1,1e-07,nan,5.0,false,,,,,,,,p\u{1}\\\u{2028},12,,,0.003,0.08

        """))
    #expect(CandidateFiles.csv([]).split(separator: "\n").count == 1)
  }

  /// Every row has as many fields as the header, read by a plain RFC 4180 reader.
  @Test func csvReadsBack() {
    let records = readCSV(CandidateFiles.csv(entries))
    #expect(records.count == 3)
    #expect(records.allSatisfy { $0.count == records[0].count })
    let source = records[0].firstIndex(of: "source")!
    #expect(records[1][source] == entries[0].source)
    let deviations = records[0].indices.filter { records[0][$0].hasPrefix("ensemble_") }
    #expect(
      deviations.map { records[0][$0] } == [
        "ensemble_force_deviation_eV_per_A", "ensemble_energy_deviation_eV_per_atom",
        "ensemble_stress_deviation_eV_per_A3",
      ])
    #expect(deviations.map { Double(records[1][$0]) } == [0.1, 0.002, 1e-4])
    #expect(deviations.map { records[2][$0] } == ["", "", ""])
    #expect(records[2][source] == entries[1].source)
    #expect(records[1][records[0].firstIndex(of: "reason")!] == entries[0].reason)
  }

  @Test func jsonReadsBackToTheSameDoubles() throws {
    let text = CandidateFiles.json(
      project: "W \"x\"", candidates: entries, listedApart: [entries[1]])
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as! [String: Any]
    #expect(object["schema"] as? String == "sluice.candidates")
    #expect(object["version"] as? Int == 1)
    #expect(object["project"] as? String == "W \"x\"")
    let list = object["candidates"] as! [[String: Any]]
    #expect(list[0]["gamma_global"] as? Double == 3.25)
    #expect(list[0]["gamma_local"] is NSNull && list[0]["score"] is NSNull)
    #expect(list[0]["outside"] as? Bool == true && list[1]["outside"] as? Bool == false)
    #expect(list[1]["score"] as? Double == 1e-7)
    #expect(list[0]["source"] as? String == entries[0].source)
    #expect(list[1]["source"] as? String == entries[1].source)
    #expect(list[0]["reason"] as? String == entries[0].reason)
    #expect(list[1]["nearest_cluster"] is NSNull)
    #expect(list[0]["ensemble_energy_deviation"] as? Double == 0.002)
    #expect(list[0]["ensemble_stress_deviation"] as? Double == 1e-4)
    #expect(list[1]["ensemble_stress_deviation"] is NSNull)
    #expect(list[0]["force_uncertainty"] is NSNull && list[1]["force_uncertainty"] as? Double == 0.08)
    #expect(list[1]["energy_uncertainty"] as? Double == 0.003)
    #expect((object["listed_apart"] as! [Any]).count == 1)
  }

  @Test func jsonHasOneOrder() {
    let text = CandidateFiles.json(project: "p", candidates: [entries[0]])
    #expect(
      text.hasPrefix(
        """
        {
          "schema": "sluice.candidates",
          "version": 1,
          "project": "p",
        """))
    #expect(
      text.contains(
        #"{"rank": 1, "id": "ab12", "formula": "W54", "atoms": 54, "score": null, "gamma_global": 3.25, "#
      ))
    #expect(text.hasSuffix("\"listed_apart\": []\n}\n"))
  }

  private func readCSV(_ text: String) -> [[String]] {
    var records: [[String]] = [[]]
    var field = ""
    var isQuoted = false
    var scalars = text.unicodeScalars.makeIterator()
    var pending = scalars.next()
    while let scalar = pending {
      pending = scalars.next()
      if isQuoted {
        if scalar == "\"" {
          if pending == "\"" {
            field += "\""
            pending = scalars.next()
          } else {
            isQuoted = false
          }
        } else {
          field.unicodeScalars.append(scalar)
        }
      } else if scalar == "\"" {
        isQuoted = true
      } else if scalar == "," || scalar == "\n" {
        records[records.count - 1].append(field)
        field = ""
        if scalar == "\n" && pending != nil { records.append([]) }
      } else {
        field.unicodeScalars.append(scalar)
      }
    }
    return records
  }
}
