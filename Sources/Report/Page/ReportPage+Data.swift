extension ReportPage {
  func data() -> HTML {
    var html = block(
      "Sources", content.sources.isEmpty ? nil : sources(), otherwise: "No source was read.")
    html += block(
      "Set aside by screening", content.screening.isEmpty ? nil : screening(),
      otherwise: "No frame was set aside.")
    html += block(
      "Quarantine", content.quarantine.isEmpty ? nil : quarantine(),
      otherwise: "No input had to be set aside as unreadable.")
    html += block(
      "Settings of the calculations", content.settingsGroups.isEmpty ? nil : settings(),
      otherwise: "The sources do not say how they were calculated.")
    return html
  }

  private func sources() -> HTML {
    let used = content.sources.reduce(0) { $0 + $1.framesUsed }
    let aside = content.sources.reduce(0) { $0 + $1.framesSetAside }
    var table = PageTable(
      id: "source-table", caption: "Data sources",
      columns: [
        .init("Source"), .init("Kind"), .init("Frames used", numeric: true),
        .init("Set aside", numeric: true), .init("Content"),
      ])
    table.limit = 300
    table.rest = "run.json lists them all."
    table.add(content.sources) { source in
      let chip: HTML = source.isNew ? " <span class=\"chip\">new</span>" : ""
      return [
        PageTable.Cell("\(foreign(source.name))\(chip)"), .name(source.kind),
        .count(source.framesUsed), .count(source.framesSetAside),
        PageTable.Cell("<code>\(source.digest)</code>"),
      ]
    }
    return """
      <p>\(counted(content.sources.count, "source")) with \(counted(used, "frame")) used and \
      \(numbers.count(aside)) set aside.</p>
      \(table.html())
      """
  }

  private func screening() -> HTML {
    var table = PageTable(
      id: "screening-table", caption: "Frames set aside, by reason",
      columns: [.init("Reason"), .init("Frames", numeric: true), .init("Examples", style: "wide")])
    table.add(content.screening) { reason in
      let examples = reason.examples.prefix(4).enumerated().map { index, example in
        "\(index == 0 ? "" : "; ")\(foreign(example))" as HTML
      }
      return [.name(reason.reason), .count(reason.count), PageTable.Cell("\(examples)")]
    }
    return table.html()
  }

  private func quarantine() -> HTML {
    var table = PageTable(
      id: "quarantine-table", caption: "Inputs that could not be read",
      columns: [
        .init("File"), .init("Place"), .init("Cause", style: "wide"),
        .init("Remedy", style: "wide"),
      ])
    table.limit = 200
    table.rest = "run.json lists them all."
    table.add(content.quarantine) { input in
      return [
        .name(input.file), .name(input.place), .name(input.cause), .name(input.remedy),
      ]
    }
    return table.html()
  }

  private func settings() -> HTML {
    var table = PageTable(
      id: "settings-table", caption: "Groups of equal settings",
      columns: [
        .init("Group"), .init("Frames", numeric: true), .init("Used"),
        .init("Settings", style: "wide"),
      ])
    table.limit = 100
    table.add(content.settingsGroups) { group in
      let settings = group.settings.prefix(30).map {
        "<span class=\"pair\">\(foreign($0.name)) <b>\(foreign($0.value))</b></span> " as HTML
      }
      return [
        .name(group.name), .count(group.frames), .text(group.isUsed ? "yes" : "no"),
        PageTable.Cell("\(settings)"),
      ]
    }
    return table.html() + """
      <p class="quiet">Energies of different groups cannot be compared and are not fitted \
      together.</p>

      """
  }
}
