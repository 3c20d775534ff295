import Configurations
import Platform

extension SourceReader {
  /// The reading of one input.
  struct Session {
    let reader: SourceReader
    let deliver: Deliver?
    private var results: [ReadSource] = []
    /// Readings that may still meet other files of their run; all wait for the end of the input, because
    /// archives hold their members in any order.
    private var waiting: [FileReading] = []
    /// Small files that may belong to a run.
    private var companions: [RunCompanion] = []
    /// Every content met, with the name it was first met under.
    private var known: [Digest: String] = [:]
    private var deliveryFailed = false
    /// What is to be said of a file once its source is there.
    private var remarks: [(file: String, diagnostic: Diagnostic)] = []

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
          let diagnostic =
            error as? Diagnostic
            ?? Diagnostic(
              .error, code: "unreadable", place: .init(file: full),
              cause: "opening failed: \(error).", remedy: "Check the file and its storage.")
          results.append(ReadSource(failed: full, diagnostic))
          continue
        }
        let before = (results.count, waiting.count, companions.count)
        do {
          try read(source, name: full, isAlone: false)
        } catch {
          if deliveryFailed { throw error }
          // A refused archive in a folder spares the files beside it.
          for refused in results[before.0...] + [] { known[refused.digest] = nil }
          for refused in waiting[before.1...] + [] {
            for digest in refused.digests { known[digest] = nil }
          }
          results.removeSubrange(before.0...)
          waiting.removeSubrange(before.1...)
          companions.removeSubrange(before.2...)
          results.append(ReadSource(failed: full, error))
        }
      }
    }

    mutating func read(_ source: any ByteSource, name: String, isAlone: Bool) throws(Diagnostic) {
      let stream = SourceStream(source, name: name, limits: reader.limits, identity: reader.identity)
      while let entry = try stream.next() {
        try take(entry, alone: isAlone && !stream.isArchive)
      }
      for diagnostic in stream.diagnostics {
        let member = diagnostic.place.member
        remarks.append((member.map { "\(name)/\($0)" } ?? name, diagnostic))
      }
    }

    /// Pairs what is left, and gives everything in order of names.
    mutating func close() throws(Diagnostic) -> [ReadSource] {
      for (reading, digest) in RunAssembly.assemble(waiting, companions) { try finish(reading, digest) }
      waiting = []
      for (file, diagnostic) in remarks {
        let k =
          results.firstIndex { $0.files.contains(file) }
          ?? results.firstIndex { $0.name.hasPrefix(diagnostic.place.file) }
        if let k { results[k].diagnostics.append(diagnostic) }
      }
      return results.sorted { $0.name < $1.name }
    }

    /// Whether this content is new; where it is not, says so of the source that has it.
    private mutating func isNew(_ digest: Digest, _ name: String) -> Bool {
      guard let first = known[digest] else {
        known[digest] = name
        return true
      }
      remarks.append(
        (
          first,
          Diagnostic(
            .note, code: "same-content", place: .init(file: first),
            cause: "\(name) has the same content and was not read again.")
        ))
      return false
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
      switch format {
      case .vasprun, .outcar:
        if alone || !reader.pairsRuns {
          try takeStream(entry, format)
        } else {
          try takeReading(entry, format, folder)
        }
      case .frames:
        // A POSCAR or CONTCAR may be both: frames for who asked for such, and a witness of the run beside it.
        if SourceFormat(head: head) == .poscar, !alone, reader.pairsRuns,
          let companion = try RunCompanion(entry, .poscar, directory: folder)
        {
          companions.append(companion)
        }
        try takeFrames(entry, frames!)
      default: if alone { try takeOther(entry, format) } else { takeCompanion(entry, format, folder) }
      }
    }

    /// INCAR, OSZICAR and the like. What cannot be read of them is no loss.
    private mutating func takeCompanion(_ entry: SourceEntry, _ format: SourceFormat, _ folder: String) {
      guard reader.pairsRuns else { return }
      do {
        if var companion = try RunCompanion(entry, format, directory: folder) {
          try entry.drain()
          companion.digest = entry.digest
          if entry.damage == nil, !companions.contains(where: { $0.directory == folder && $0.digest == entry.digest }) {
            companions.append(companion)
          }
        }
      } catch {
        remarks.append((entry.name, error))
      }
    }

    /// A file of VASP by itself: its steps go out as they come.
    private mutating func takeStream(_ entry: SourceEntry, _ format: SourceFormat)
      throws(Diagnostic)
    {
      let run = StepSource(entry, format)
      var parts: [StreamedPart] = []
      var repeats = RepeatedSteps()
      // One for each part.
      var sinks: [Sink] = []
      var failure: Diagnostic?
      do {
        while let step = try run.next() {
          if parts.last?.lastRun != step.part {
            let description = run.description(ofPart: step.part)
            if let last = parts.last, last.goesOn(with: description) {
              parts[parts.count - 1].add(description, step.part)
            } else {
              // A file whose runs are of different calculations becomes several sources.
              if !parts.isEmpty {
                try sinks[sinks.count - 1].close()
                repeats = RepeatedSteps()
              }
              parts.append(StreamedPart(description, step, name: entry.name))
              sinks.append(Sink(reader.steps, deliver))
            }
          }
          guard let step = repeats.number(step) else { continue }
          let k = parts.count - 1
          guard reader.takes(step) else {
            parts[k].machineLearned += 1
            continue
          }
          let configuration: Configuration
          do {
            configuration = try step.configuration(source: parts[k].name, carrying: parts[k].carried)
          } catch {
            parts[k].refusals.append(error)
            continue
          }
          try sinks[k].take(configuration)
        }
        try entry.drain()
        if !sinks.isEmpty { try sinks[sinks.count - 1].close() }
      } catch {
        deliveryFailed = sinks.last?.failed ?? false
        if deliveryFailed || (error.code == "damaged" && entry.member == nil) { throw error }
        failure = error
      }
      if parts.isEmpty {
        parts = [StreamedPart(run.description(ofPart: 0), nil, name: entry.name)]
        sinks = [Sink(reader.steps, deliver)]
      }
      guard failure != nil || isNew(entry.digest, entry.name) else { return }
      for (k, part) in parts.enumerated() {
        var result = ReadSource(
          name: part.name, digest: parts.count == 1 ? entry.digest : part.digest(in: entry.digest), format: format,
          isComplete: k + 1 < parts.count || run.isComplete && entry.truncation == nil, files: [entry.name])
        result.settings = part.settings
        result.configurations = sinks[k].kept
        result.diagnostics = part.refusals.diagnostics + (failure.map { [$0] } ?? [])
        if k + 1 == parts.count { result.diagnostics += run.diagnostics + repeats.diagnostics(entry.name) }
        sinks[k].tell(&result, machineLearned: part.machineLearned)
        if let damage = entry.damage, result.error == nil { result.diagnostics.append(damage) }
        if result.error != nil { result.configurations = [] }
        results.append(result)
      }
    }

    /// A file of VASP among others: kept until its directory is left, for its twin may follow.
    private mutating func takeReading(
      _ entry: SourceEntry, _ format: SourceFormat, _ folder: String
    ) throws(Diagnostic) {
      let run = StepSource(entry, format)
      var readings: [FileReading] = []
      var diagnostics: [Diagnostic] = []
      var lastUsable: Int?
      do {
        while var step = try run.next() {
          if readings.last?.part != step.part {
            var reading = FileReading(name: entry.name, directory: folder, format: format, digest: entry.digest)
            reading.part = step.part
            reading.isComplete = true
            readings.append(reading)
            lastUsable = nil
          }
          let k = readings.count - 1
          step.index = readings[k].steps.count
          readings[k].append(step)
          // The other rules look at what the files of a run say together.
          guard reader.steps == .last else { continue }
          let place = readings[k].steps.count - 1
          if reader.takes(step), (try? step.configuration(source: "")) != nil {
            if let previous = lastUsable { readings[k].steps[previous].strip() }
            lastUsable = place
          } else {
            readings[k].steps[place].strip()
          }
        }
        try entry.drain()
      } catch {
        diagnostics.append(error)
      }
      if let damage = entry.damage, !diagnostics.contains(where: { $0.severity == .error }) {
        diagnostics.append(damage)
      }
      if readings.isEmpty {
        readings = [FileReading(name: entry.name, directory: folder, format: format, digest: entry.digest)]
      }
      diagnostics += run.diagnostics
      readings[readings.count - 1].isComplete = run.isComplete && entry.truncation == nil
      for k in readings.indices {
        readings[k].digests = [entry.digest]
        readings[k].run = run.description(ofPart: readings[k].part)
        readings[k].diagnostics = diagnostics
        if readings[k].isFailed { readings[k].steps = [] }
      }
      guard readings[0].isFailed || isNew(entry.digest, entry.name) else { return }
      // The two files of a run hold the same arrays: one copy is enough.
      if readings.count == 1, let k = waiting.firstIndex(where: { RunPairing.areTwins($0, readings[0]) }) {
        let other = waiting.remove(at: k)
        let isTree = readings[0].format == .vasprun
        waiting.append(RunPairing.merge(isTree ? readings[0] : other, isTree ? other : readings[0]))
      } else {
        waiting += readings
      }
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
        deliveryFailed = sink.failed
        if sink.failed { throw error }
        result.diagnostics.append(error)
        result.isComplete = false
        if entry.damage == nil { try entry.drain() }
      }
      sink.tell(&result)
      result.digest = entry.digest
      if entry.truncation != nil { result.isComplete = false }
      if result.error != nil || isNew(result.digest, result.name) { results.append(result) }
    }

    private mutating func takeOther(_ entry: SourceEntry, _ format: SourceFormat) throws(Diagnostic) {
      try entry.drain()
      var result = ReadSource(
        name: entry.name, digest: entry.digest, format: format,
        isComplete: entry.truncation == nil, files: [entry.name])
      let place = Diagnostic.Place(file: entry.name)
      let said =
        if format != .unknown {
          Diagnostic(
            .note, code: "no-labels", place: place,
            cause: "it is a VASP \(format.rawValue.uppercased()), which holds no labels.")
        } else if entry.byteCount == 0 {
          Diagnostic(
            .error, code: "unknown-format", place: place, cause: "it is empty.",
            remedy: "Copy it again from its origin, or wait until its run has written it.")
        } else {
          Diagnostic(
            .error, code: "unknown-format", place: place, cause: "its content is of no format that is read here.",
            remedy: "Drop vasprun.xml, OUTCAR, extended XYZ, or an archive of them.")
        }
      result.diagnostics = [said]
      results.append(result)
    }

    // MARK: runs

    /// Makes a source of what all files told of one calculation.
    private mutating func finish(_ reading: FileReading, _ digest: Digest) throws(Diagnostic) {
      var result = ReadSource(
        name: reading.name, digest: digest, format: reading.format, isComplete: reading.isComplete,
        files: reading.files)
      result.settings = reading.run.settings
      result.diagnostics = reading.diagnostics
      let carried = reading.runs.enumerated().map { k, run in
        run.carried.merging(k > 0 ? ["run_part": .integer(k)] : [:]) { $1 }
      }
      if result.error == nil {
        var sink = Sink(reader.steps, deliver)
        defer { deliveryFailed = deliveryFailed || sink.failed }
        var refusals = StepRefusals()
        var machineLearned = 0
        for step in reading.steps {
          guard reader.takes(step) else {
            machineLearned += 1
            continue
          }
          guard !step.isStripped else {
            sink.pass()
            continue
          }
          let configuration: Configuration
          do {
            configuration = try step.configuration(source: reading.name, carrying: carried[step.run])
          } catch {
            refusals.append(error)
            continue
          }
          try sink.take(configuration)
        }
        try sink.close()
        result.configurations = sink.kept
        result.diagnostics += refusals.diagnostics
        sink.tell(&result, machineLearned: machineLearned)
      }
      results.append(result)
    }
  }

  /// Applies the step selection to configurations that come one by one.
  private struct Sink {
    private var selector: StepSelector
    private let deliver: Deliver?
    private var passed = 0
    private(set) var kept: [Configuration] = []
    /// True once `deliver` has thrown: then the whole reading ends with its error.
    private(set) var failed = false

    init(_ selection: StepSelection, _ deliver: Deliver?) {
      selector = StepSelector(selection)
      self.deliver = deliver
    }

    mutating func take(_ configuration: Configuration) throws(Diagnostic) {
      if selector.take(configuration) { try give(configuration) }
    }

    /// A step that was known not to be selected before it became a configuration.
    mutating func pass() { passed += 1 }

    mutating func close() throws(Diagnostic) {
      if let last = selector.finish() { try give(last) }
    }

    /// Says of a source how many steps there were, and which could not be chosen from.
    func tell(_ result: inout ReadSource, machineLearned: Int = 0) {
      result.offered = selector.offered + passed
      result.diagnostics += selector.diagnostics(of: result.name)
      guard machineLearned > 0 else { return }
      result.diagnostics.append(
        Diagnostic(
          .warning, code: "machine-learned", place: .init(file: result.name),
          cause: "\(machineLearned) machine-learned \(machineLearned == 1 ? "step was" : "steps were") left out."))
    }

    private mutating func give(_ configuration: Configuration) throws(Diagnostic) {
      guard let deliver else {
        kept.append(configuration)
        return
      }
      do {
        try deliver(configuration)
      } catch {
        failed = true
        throw error
      }
    }
  }
}

extension SourceReader {
  fileprivate func takes(_ step: IonicStep) -> Bool { keepsMachineLearned || !step.machineLearned }
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

  func description(ofPart part: Int) -> RunDescription { tree?.run(ofPart: part) ?? sheet!.run(ofPart: part) }
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
