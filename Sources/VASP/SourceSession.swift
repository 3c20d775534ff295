import Configurations
import Platform

extension SourceReader {
  /// The reading of one input.
  struct Session {
    let reader: SourceReader
    let deliver: Deliver?
    private var results: [ReadSource] = []
    /// Readings of the directory that is being walked through, until it is left.
    private var directory: [FileReading] = []
    private var known: Set<Digest> = []

    init(reader: SourceReader, deliver: Deliver?) {
      self.reader = reader
      self.deliver = deliver
    }

    mutating func read(folder name: String, files: [RunFile]) throws(Diagnostic) {
      for file in files.sorted(by: { $0.path < $1.path }) {
        let full = "\(name)/\(file.path)"
        let source: any ByteSource
        do {
          source = try file.open()
        } catch {
          var failed = ReadSource(
            name: full, digest: Digest(of: ""), format: .unknown, isComplete: false, files: [full])
          failed.diagnostics = [
            error as? Diagnostic
              ?? Diagnostic(
                .error, code: "unreadable", place: .init(file: full),
                cause: "opening failed: \(error).",
                remedy: "Check the file and its storage.")
          ]
          results.append(failed)
          continue
        }
        do {
          try read(source, name: full, isAlone: false)
        } catch {
          // A refused archive in a folder spares the files beside it.
          directory.removeAll { $0.name.hasPrefix(full + "/") }
          results.removeAll { $0.name.hasPrefix(full + "/") }
          var failed = ReadSource(
            name: full, digest: Digest(of: ""), format: .unknown, isComplete: false, files: [full])
          failed.diagnostics = [error]
          results.append(failed)
        }
      }
    }

    mutating func read(_ source: any ByteSource, name: String, isAlone: Bool) throws(Diagnostic) {
      let stream = SourceStream(source, name: name, limits: reader.limits)
      while let entry = try stream.next() {
        try take(entry, alone: isAlone && !stream.isArchive)
      }
      attach(stream.diagnostics)
    }

    /// Finishes the last directory and gives everything.
    mutating func close() throws(Diagnostic) -> [ReadSource] {
      try leaveDirectory()
      return results
    }

    // MARK: entries

    private mutating func take(_ entry: SourceEntry, alone: Bool) throws(Diagnostic) {
      let head = entry.head(SourceFormat.headLength)
      var format = SourceFormat(head: head)
      var frames: (any FrameFormat.Type)?
      if format != .vasprun && format != .outcar {
        frames = reader.formats.first { $0.recognises(head) }
        if frames != nil { format = .frames }
      }
      let path = entry.name.split(separator: "/", omittingEmptySubsequences: false)
      let folder = path.dropLast().joined(separator: "/")
      if let open = directory.first, open.directory != folder { try leaveDirectory() }
      switch format {
      case .vasprun, .outcar:
        if alone || !reader.pairsRuns {
          try takeStream(entry, format)
        } else {
          try takeReading(entry, format, folder)
        }
      case .frames: try takeFrames(entry, frames!)
      default: if alone { try takeOther(entry, format) }
      }
    }

    /// A file of VASP by itself: its steps go out as they come.
    private mutating func takeStream(_ entry: SourceEntry, _ format: SourceFormat)
      throws(Diagnostic)
    {
      let run = StepSource(entry, format)
      var result = ReadSource(
        name: entry.name, digest: entry.digest, format: format, isComplete: false,
        files: [entry.name])
      var sink = Sink(reader.steps, deliver)
      do {
        while let step = try run.next() {
          do {
            let configuration = try step.configuration(source: entry.name)
            try sink.take(configuration)
          } catch let refused where refused.severity == .warning {
            result.diagnostics.append(refused)
          }
        }
        try entry.drain()
        try sink.close()
        result.configurations = sink.kept
      } catch {
        if error.code == "damaged" && entry.member == nil { throw error }
        result.diagnostics.append(error)
      }
      result.digest = entry.digest
      result.settings = run.description.settings
      result.diagnostics += run.diagnostics
      if let damage = entry.damage, result.error == nil { result.diagnostics.append(damage) }
      if result.error != nil { result.configurations = [] }
      result.isComplete = run.isComplete && entry.truncation == nil
      if known.insert(result.digest).inserted || result.error != nil { results.append(result) }
    }

    /// A file of VASP among others: kept until its directory is left, for its twin may follow.
    private mutating func takeReading(
      _ entry: SourceEntry, _ format: SourceFormat, _ folder: String
    ) throws(Diagnostic) {
      var reading = FileReading(
        name: entry.name, directory: folder, format: format, digest: entry.digest)
      let run = StepSource(entry, format)
      var lastUsable: Int?
      do {
        while var step = try run.next() {
          switch reader.steps {
          case .all: break
          case .every(let n): if step.index % n != 0 { step.strip() }
          case .last:
            if (try? step.configuration(source: "")) != nil {
              if let previous = lastUsable { reading.steps[previous].strip() }
              lastUsable = reading.steps.count
            } else {
              step.strip()
            }
          }
          reading.steps.append(step)
        }
        try entry.drain()
      } catch {
        reading.diagnostics.append(error)
      }
      if let damage = entry.damage, !reading.isFailed { reading.diagnostics.append(damage) }
      reading.run = run.description
      reading.diagnostics += run.diagnostics
      reading.isComplete = run.isComplete && entry.truncation == nil
      reading.digest = entry.digest
      if reading.isFailed { reading.steps = [] }
      if known.insert(reading.digest).inserted || reading.isFailed { directory.append(reading) }
    }

    private mutating func takeFrames(_ entry: SourceEntry, _ format: any FrameFormat.Type)
      throws(Diagnostic)
    {
      var result = ReadSource(
        name: entry.name, digest: entry.digest, format: .frames, isComplete: true,
        files: [entry.name])
      var sink = Sink(reader.steps, deliver)
      do {
        try format.read(entry, name: entry.name) { (configuration) throws(Diagnostic) in
          try sink.take(configuration)
        }
        try sink.close()
        try entry.drain()
        result.configurations = sink.kept
      } catch {
        result.diagnostics.append(error)
        result.isComplete = false
        if entry.damage == nil { try entry.drain() }
      }
      result.digest = entry.digest
      if entry.truncation != nil { result.isComplete = false }
      if known.insert(result.digest).inserted || result.error != nil { results.append(result) }
    }

    private mutating func takeOther(_ entry: SourceEntry, _ format: SourceFormat) throws(Diagnostic)
    {
      try entry.drain()
      var result = ReadSource(
        name: entry.name, digest: entry.digest, format: format,
        isComplete: entry.truncation == nil, files: [entry.name])
      result.diagnostics = [
        Diagnostic(
          format == .unknown ? .error : .note,
          code: format == .unknown ? "unknown-format" : "no-labels", place: .init(file: entry.name),
          cause: format == .unknown
            ? "its content is of no format that is read here."
            : "it is a VASP \(format.rawValue.uppercased()), which holds no labels.",
          remedy: format == .unknown
            ? "Drop vasprun.xml, OUTCAR, extended XYZ, or an archive of them." : "")
      ]
      results.append(result)
    }

    // MARK: directories

    private mutating func leaveDirectory() throws(Diagnostic) {
      let readings = directory
      directory = []
      for (first, second) in RunPairing.pair(readings) {
        let reading = second.map { RunPairing.merge(first, $0) } ?? first
        var result = ReadSource(
          name: reading.name, digest: reading.digest, format: reading.format,
          isComplete: reading.isComplete, files: [first.name] + (second.map { [$0.name] } ?? []))
        result.settings = reading.run.settings
        result.diagnostics = reading.diagnostics
        if result.error == nil {
          var sink = Sink(reader.steps, deliver)
          for step in reading.steps where !step.isStripped {
            do {
              try sink.take(try step.configuration(source: reading.name))
            } catch let refused where refused.severity == .warning {
              result.diagnostics.append(refused)
            }
          }
          try sink.close()
          result.configurations = sink.kept
        }
        results.append(result)
      }
    }

    /// Gives what the stream had to say to the sources it concerns, else to the first one.
    private mutating func attach(_ diagnostics: [Diagnostic]) {
      for diagnostic in diagnostics {
        let name =
          diagnostic.place.member.map { "\(diagnostic.place.file)/\($0)" } ?? diagnostic.place.file
        if let k = directory.firstIndex(where: { $0.name == name || $0.name.hasPrefix(name + "/") })
        {
          directory[k].diagnostics.append(diagnostic)
        } else if let k = results.firstIndex(where: { $0.name == name })
          ?? results.firstIndex(where: { $0.name.hasPrefix(diagnostic.place.file) })
        {
          results[k].diagnostics.append(diagnostic)
        }
      }
    }
  }

  /// Applies the step selection to configurations that come one by one.
  private struct Sink {
    private let selection: StepSelection
    private let deliver: Deliver?
    private var last: Configuration?
    private(set) var kept: [Configuration] = []

    init(_ selection: StepSelection, _ deliver: Deliver?) {
      self.selection = selection
      self.deliver = deliver
    }

    mutating func take(_ configuration: Configuration) throws(Diagnostic) {
      switch selection {
      case .all: try give(configuration)
      case .every(let n): if configuration.provenance.ionicStep % n == 0 { try give(configuration) }
      case .last: last = configuration
      }
    }

    mutating func close() throws(Diagnostic) { if let last { try give(last) } }

    private mutating func give(_ configuration: Configuration) throws(Diagnostic) {
      if let deliver { try deliver(configuration) } else { kept.append(configuration) }
    }
  }
}

/// vasprun.xml and OUTCAR readers as one thing that gives steps.
private struct StepSource {
  private let tree: VasprunReader?
  private let sheet: OutcarReader?

  init(_ entry: SourceEntry, _ format: SourceFormat) {
    tree = format == .vasprun ? VasprunReader(entry, name: entry.name) : nil
    sheet = format == .vasprun ? nil : OutcarReader(entry, name: entry.name)
  }

  func next() throws(Diagnostic) -> IonicStep? {
    if let tree { return try tree.nextStep() }
    return try sheet!.nextStep()
  }

  var description: RunDescription { tree?.run ?? sheet!.run }
  var diagnostics: [Diagnostic] { tree?.diagnostics ?? sheet!.diagnostics }
  var isComplete: Bool { tree?.isComplete ?? sheet!.isComplete }
}

extension IonicStep {
  fileprivate mutating func strip() {
    positions = nil
    forces = nil
    moments = nil
    isStripped = true
  }
}
