import Configurations
import Platform

extension SourceReader {
  /// The reading of one input.
  struct Session {
    let reader: SourceReader
    let deliver: Deliver?
    private var results: [ReadSource] = []
    /// Readings that may still meet the other file of their run.
    private var waiting: [FileReading] = []
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
        let before = (results.count, waiting.count)
        do {
          try read(source, name: full, isAlone: false)
        } catch {
          if deliveryFailed { throw error }
          // A refused archive in a folder spares the files beside it.
          for refused in results[before.0...] + [] { known[refused.digest] = nil }
          for refused in waiting[before.1...] + [] { known[refused.digest] = nil }
          results.removeSubrange(before.0...)
          waiting.removeSubrange(before.1...)
          results.append(ReadSource(failed: full, error))
        }
      }
    }

    mutating func read(_ source: any ByteSource, name: String, isAlone: Bool) throws(Diagnostic) {
      let stream = SourceStream(source, name: name, limits: reader.limits)
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
      var directories: [String] = []
      for reading in waiting where !directories.contains(reading.directory) {
        directories.append(reading.directory)
      }
      for directory in directories {
        for (first, second) in RunPairing.pair(waiting.filter { $0.directory == directory }) {
          try finish(first, second)
        }
      }
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
      var refusals = StepRefusals()
      var machineLearned = 0
      do {
        while let step = try run.next() {
          guard reader.takes(step) else {
            machineLearned += 1
            continue
          }
          let configuration: Configuration
          do {
            configuration = try step.configuration(source: entry.name)
          } catch {
            refusals.append(error)
            continue
          }
          try sink.take(configuration)
        }
        try entry.drain()
        try sink.close()
        result.configurations = sink.kept
      } catch {
        deliveryFailed = sink.failed
        if sink.failed || (error.code == "damaged" && entry.member == nil) { throw error }
        result.diagnostics.append(error)
      }
      result.digest = entry.digest
      result.settings = run.description.settings
      result.diagnostics = refusals.diagnostics + result.diagnostics + run.diagnostics
      sink.tell(&result, machineLearned: machineLearned)
      if let damage = entry.damage, result.error == nil { result.diagnostics.append(damage) }
      if result.error != nil { result.configurations = [] }
      result.isComplete = run.isComplete && entry.truncation == nil
      if result.error != nil || isNew(result.digest, result.name) { results.append(result) }
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
          case .every(let n): if step.index % n != 0 { step.strip() }
          case .last:
            if reader.takes(step), (try? step.configuration(source: "")) != nil {
              if let previous = lastUsable { reading.steps[previous].strip() }
              lastUsable = reading.steps.count
            } else {
              step.strip()
            }
          // The other rules look at what the files of a run say together.
          default: break
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
      guard reading.isFailed || isNew(reading.digest, reading.name) else { return }
      // Runs that are whole go out at once, so that an archive of many does not fill the memory.
      if let k = waiting.firstIndex(where: { RunPairing.areTwins($0, reading) }) {
        let other = waiting.remove(at: k)
        let isTree = reading.format == .vasprun
        try finish(isTree ? reading : other, isTree ? other : reading)
      } else {
        waiting.append(reading)
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

    // MARK: runs

    /// Makes a source of one reading, or of the two files of one run.
    private mutating func finish(_ first: FileReading, _ second: FileReading?) throws(Diagnostic) {
      let reading = second.map { RunPairing.merge(first, $0) } ?? first
      var result = ReadSource(
        name: reading.name, digest: reading.digest, format: reading.format,
        isComplete: reading.isComplete, files: [first.name] + (second.map { [$0.name] } ?? []))
      result.settings = reading.run.settings
      result.diagnostics = reading.diagnostics
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
            configuration = try step.configuration(source: reading.name)
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
