import Configurations
import Engine
import Foundation
import Platform
import StageKit
import Synchronization
import TestSupport
import Testing

/// A session over toy stages whose inbox, pool and clock are scripted.
private final class Desk {
  let clock = ManualClock()
  let files: MemoryFileSystem
  let events: MemoryEventSource
  let session: Session
  var watchPlan: WatchPlan
  /// "seconds: run N +new -removed", or the failure.
  private(set) var log: [String] = []

  init(_ more: String = "", pool: String = "/pool", kind: FileSystemKind = .ext4) throws {
    files = MemoryFileSystem(clock: clock, kind: kind)
    for folder in ["/in/pool", "/pool"] { files.dropFolder(folder) }
    events = MemoryEventSource(clock: clock)
    let text = """
      { sluice: 1, project: 'toy', elements: ['W'], inbox: '/in', outbox: '/out', \(more)
        stages: [{use:'numbers'},{use:'numbers', id:'more', pools:['\(pool)']},
          {use:'square', from: {'toy-numbers':'numbers'}},{use:'total'},{use:'template', file:'/template'},
          {use:'announce', from: {'toy-numbers':'more'}}] }
      """
    let registry = Toy.registry.merging(["template": Template.self]) { $1 }
    let pipeline = try PipelineFile(Array(text.utf8), path: "toy.json5", stages: registry)
    files.drop("/template", "t")
    session = try Session(
      pipeline, plan: try Planner(stages: registry).plan(pipeline), fileSystem: files, clock: clock,
      report: { _ in })
    watchPlan = WatchPlan(timing: .init(), events: events, settling: kind.reportsEveryChange ? .byAge : .byTrust)
  }

  func drop(at seconds: Int, _ path: String, _ text: String) {
    events.schedule(at: .seconds(seconds)) { [files] in files.drop(path, text) }
  }

  func watch(
    until seconds: Int, checkCancellation: @escaping @Sendable () throws -> Void = {},
    onPass: (PassResult) throws -> Bool = { _ in true }
  ) throws {
    events.schedule(at: .seconds(seconds), waking: nil) { [events] in events.interrupt() }
    try session.watch(watchPlan, version: "0", checkCancellation: checkCancellation) { result in
      let time = clock.uptime.components.seconds
      do {
        let pass = try result.get()
        let changes = pass.outcome.record.stages.prefix(2).flatMap { stage in
          stage.sources.added.map { " +" + $0.name } + stage.sources.removed.map { " -" + $0.name }
        }
        log.append("\(time): run \(pass.published.map { "\($0.number)" } ?? "-")" + changes.joined())
        return try onPass(pass)
      } catch {
        log.append("\(time): \(error)")
        return true
      }
    }
  }
}

/// Gives the content of the file that it names.
private struct Template: FoldStage {
  static let description = StageDescription(
    name: "template", version: 1, summary: "Reads a template.", takes: [StageInput(.total)],
    gives: [.whole(.choice)])
  let attachments: [String]

  init(parameters: inout ParameterDecoder) throws(ParameterError) {
    attachments = [try parameters.text("file", default: nil, "A file.")]
  }

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    var draft = ArtifactDraft(.choice)
    draft.add("template.txt", Toy.text(inputs.attachments[0].bytes))
    return FoldResult(wholes: [draft])
  }
}

@Suite struct SessionWatchTests {
  @Test func aPassAtStartThenOnePerBatch() throws {
    let desk = try Desk()
    desk.files.drop("/in/old.txt", "1")
    desk.files.drop("/pool/p.txt", "5")
    desk.clock.advance(by: .seconds(100))
    for number in 0..<500 { desk.drop(at: 110 + number / 100, "/in/n\(number).txt", "\(1000 + number)") }
    desk.drop(at: 112, "/pool/q.txt", "6")
    try desk.watch(until: 400)
    #expect(desk.log.count == 2)
    #expect(desk.log[0] == "100: run 1 +old.txt +p.txt")
    // The last of them came at 114.
    #expect(desk.log[1].hasPrefix("124: run 2 +") && desk.log[1].hasSuffix(" +q.txt"))
    #expect(desk.log[1].count(where: { $0 == "+" }) == 501)
  }

  @Test func dropsDuringAPassAreOneLaterPass() throws {
    let desk = try Desk()
    desk.files.drop("/in/a.txt", "1")
    desk.files.drop("/pool/p.txt", "5")
    desk.clock.advance(by: .seconds(20))
    for number in 0..<50 { desk.drop(at: 30 + number, "/in/b\(number).txt", "\(2 + number)") }
    try desk.watch(
      until: 300,
      onPass: { pass in
        if pass.published?.number == 1 {
          while desk.clock.uptime < .seconds(90) { _ = desk.events.wait(atMost: .seconds(90) - desk.clock.uptime) }
        }
        return true
      })
    #expect(desk.log.count == 2)
    #expect(desk.log[1].hasPrefix("100: run 2 +"))
  }

  @Test func anEnvironmentErrorIsToldOnceAndTriedAgain() throws {
    let desk = try Desk()
    desk.files.drop("/in/a.txt", "1")
    desk.files.drop("/pool/p.txt", "5")
    desk.clock.advance(by: .seconds(20))
    desk.events.schedule(at: .seconds(50)) { [files = desk.files] in try? files.rename("/pool", to: "/unmounted") }
    desk.events.schedule(at: .seconds(200)) { [files = desk.files] in try? files.rename("/unmounted", to: "/pool") }
    desk.drop(at: 210, "/pool/q.txt", "6")
    try desk.watch(until: 400)
    // Scanned at 50, 110, 170 and 230.
    #expect(
      desk.log == [
        "20: run 1 +a.txt +p.txt", "50: \(InboxError.vanished(path: "/pool"))", "230: run 2 +q.txt",
      ])
  }

  @Test func aSickPassIsMadeAgainAtTheNextScan() throws {
    let desk = try Desk()
    desk.files.drop("/pool/p.txt", "5")
    desk.drop(at: 20, "/in/a.txt", "1")
    // The journal's folder is gone while the batch comes.
    desk.events.schedule(at: .seconds(25), waking: nil) { [files = desk.files] in
      try? files.rename("/out/.sluice/journal", to: "/out/.sluice/away")
    }
    desk.events.schedule(at: .seconds(100), waking: nil) { [files = desk.files] in
      try? files.rename("/out/.sluice/away", to: "/out/.sluice/journal")
    }
    try desk.watch(until: 300)
    #expect(desk.log.count == 3)
    #expect(desk.log[0].hasPrefix("10: stage 'total'"))
    #expect(desk.log[1].hasPrefix("30: stage 'numbers': cannot create /out/.sluice/journal/"))
    // Tried at 90 too, where it failed for the same reason.
    #expect(desk.log[2] == "150: run 1 +a.txt +p.txt")
  }

  @Test func whatBreaksOffIsTakenWhenItIsOldEnough() throws {
    let desk = try Desk("truncatedAfter: 300,")
    desk.files.drop("/pool/p.txt", "5")
    desk.drop(at: 5, "/in/a.txt", "1")
    desk.drop(at: 20, "/in/broken.txt", "2\nopen")
    try desk.watch(until: 900)
    #expect(desk.log == ["15: run 1 +a.txt +p.txt", "30: run -", "330: run 2 +broken.txt"])
  }

  @Test func aChangedTemplateIsSeenByTheNextScan() throws {
    let desk = try Desk()
    desk.files.drop("/pool/p.txt", "5")
    desk.files.drop("/in/a.txt", "1")
    desk.clock.advance(by: .seconds(20))
    desk.events.schedule(at: .seconds(100), waking: nil) { [files = desk.files] in files.drop("/template", "new") }
    desk.events.schedule(at: .seconds(200), waking: nil) { [files = desk.files] in try? files.removeFile("/template") }
    desk.events.schedule(at: .seconds(400), waking: nil) { [files = desk.files] in files.drop("/template", "new") }
    var ran: [Int] = []
    try desk.watch(
      until: 600,
      onPass: { pass in
        ran.append(pass.outcome.record.stage("template").ran)
        return true
      })
    #expect(desk.log.count == 4)
    #expect(desk.log[1] == "140: run -" && desk.log[3] == "440: run -")
    #expect(desk.log[2].hasPrefix("200: stage 'template': cannot look at /template"))
    #expect(ran == [1, 1, 0], "what came back is known")
  }

  /// Another machine's clock is an hour behind: by age, files would be taken while they are written.
  @Test func whereClocksDisagreeTwoScansDecide() throws {
    for (kind, expected) in [(FileSystemKind.ext4, "0: run 1 +a.txt +p.txt"), (.nfs, "10: run 1 +a.txt +p.txt")] {
      let desk = try Desk(kind: kind)
      desk.files.drop("/in/a.txt", "1")
      desk.files.drop("/pool/p.txt", "5")
      desk.clock.setWallTime(desk.clock.wallTime + .seconds(3600))
      try desk.watch(until: 50)
      #expect(desk.log.last == expected)
    }
  }

  @Test func aCancelledPassEndsTheWatch() throws {
    let desk = try Desk()
    desk.files.drop("/pool/p.txt", "5")
    desk.drop(at: 20, "/in/a.txt", "1")
    try desk.watch(
      until: 1000,
      checkCancellation: { [clock = desk.clock] in
        if clock.uptime >= .seconds(30) { throw CancellationError() }
      })
    #expect(desk.clock.uptime == .seconds(30))
    #expect(desk.log == ["10: stage 'total': there are no numbers. Drop a file of numbers."])
  }
}

/// Watched folders without a watch.
@Suite struct TrustedFoldersTests {
  @Test func aPoolMayBeAFileOrLieInTheInbox() throws {
    let file = try Desk(pool: "/pool/p.txt")
    file.files.drop("/in/a.txt", "1")
    file.files.drop("/pool/p.txt", "5")
    file.files.drop("/pool/deep/other.txt", "6")
    file.clock.advance(by: .seconds(20))
    file.files.forgetTouches()
    try file.watch(until: 25)
    #expect(file.log == ["20: run 1 +a.txt +p.txt"])
    #expect(!file.files.touches.contains { $0.operation == .list && $0.path.hasPrefix("/pool") })

    let nested = try Desk(pool: "/in/pool")
    nested.files.drop("/in/a.txt", "1")
    nested.files.drop("/in/pool/p.txt", "5")
    nested.files.drop("/in/poolside.txt", "7")
    nested.clock.advance(by: .seconds(20))
    try nested.watch(until: 25)
    #expect(nested.log == ["20: run 1 +a.txt +poolside.txt +p.txt"])
  }

  @Test func trustHoldsForWhatWasSeenOnly() throws {
    let desk = try Desk(kind: .nfs)
    let folders = desk.session.folders
    let stage = desk.session.plan.stages[0]
    folders.settle(.byTrust)
    desk.files.drop("/in/a.txt", "1")
    desk.files.drop("/in/b.txt", "2")
    desk.clock.advance(by: .seconds(1000))
    #expect(try folders.scan(stage).unsettled == ["a.txt", "b.txt"])
    folders.trust(try Inbox(desk.files, folder: "/in").scan().units, of: "/in")
    desk.files.drop("/in/b.txt", "22")
    let scan = try folders.scan(stage)
    #expect(scan.units.map(\.name) == ["a.txt"] && scan.unsettled == ["b.txt"])
    folders.settle(.byAge)
    desk.clock.advance(by: .seconds(10))
    #expect(try folders.scan(stage).units.map(\.name) == ["a.txt", "b.txt"])
  }

  @Test func aPassCanBeStoppedWhileItReads() throws {
    let desk = try Desk()
    for number in 0..<20 { desk.files.drop("/in/\(number).txt", "\(number)") }
    desk.clock.advance(by: .seconds(20))
    let calls = Mutex(0)
    func check(limit: Int) -> @Sendable () throws -> Void {
      calls.withLock { $0 = 0 }
      return {
        try calls.withLock {
          $0 += 1
          if $0 > limit { throw CancellationError() }
        }
      }
    }
    do {
      _ = try desk.session.pass(version: "0", checkCancellation: check(limit: 5))
      Issue.record("the pass was not stopped")
    } catch let error as RunError {
      #expect(error.kind == .cancelled)
    }
    #expect(desk.session.folders.registry(of: "/in").records.isEmpty)
    desk.files.drop("/pool/p.txt", "5")
    desk.clock.advance(by: .seconds(20))
    #expect(try desk.session.pass(version: "0", checkCancellation: check(limit: .max)).published?.number == 1)
  }

  @Test func aLostLockEndsTheWatch() throws {
    let desk = try Desk()
    desk.files.drop("/in/a.txt", "1")
    desk.files.drop("/pool/p.txt", "5")
    desk.events.schedule(at: .seconds(15)) { [files = desk.files] in
      try? files.removeFile("/out/.sluice/lock")
      files.drop("/in/b.txt", "2")
    }
    #expect(throws: LockError.self) { try desk.watch(until: 500) }
    #expect(desk.clock.uptime == .seconds(25) && desk.log == ["10: run 1 +a.txt +p.txt"])
  }
}

@Suite struct RealSessionWatchTests {
  @Test(.timeLimit(.minutes(1))) func everyWayOfDroppingIsOneRun() throws {
    let scratch = try ScratchFolder()
    try scratch.shell("mkdir inbox outside; echo 1 > inbox/first.txt; echo 2 > outside/two.txt")
    let text = """
      { sluice: 1, project: 'toy', elements: ['W'], inbox: 'inbox', outbox: 'out', settle: 1,
        stages: \(Toy.everything) }
      """
    let pipeline = try PipelineFile(
      Array(text.utf8), path: Path.join(scratch.path, "toy.json5"), stages: Toy.registry)
    let session = try Session(
      pipeline, plan: try Planner(stages: Toy.registry).plan(pipeline), report: { _ in })
    defer { try? session.close() }
    var watchPlan = try session.watchPlan()
    watchPlan.timing.leastInterval = .milliseconds(20)
    let runs = Mutex<[Set<String>]>([])
    let clock = SystemClock()
    let start = clock.uptime
    let events = watchPlan.events
    _ = try concurrentMap(2, threads: 2) { [watchPlan] index in
      if index == 0 {
        try session.watch(watchPlan, version: "0") { result in
          guard case .success(let pass) = result else { return false }
          let names = Set(pass.outcome.record.stages[0].sources.added.map(\.name))
          if !names.isEmpty { runs.withLock { $0.append(names) } }
          return clock.uptime - start < .seconds(20) && runs.withLock { $0.count } < 2
        }
      } else {
        defer { if clock.uptime - start > .seconds(30) { events.interrupt() } }
        while clock.uptime - start < .seconds(20), runs.withLock({ $0.isEmpty }) { usleep(20_000) }
        try scratch.shell(
          """
          cp outside/two.txt inbox/two.txt; echo 3 > outside/three.txt; mv outside/three.txt inbox/
          for i in $(seq 10 59); do mkdir -p inbox/deep/$i/a; echo $i > inbox/deep/$i/a/n.txt; done
          mkdir outside/folder; echo 4 > outside/folder/four.txt; mv outside/folder inbox/
          echo 5 > outside/five.txt; ln outside/five.txt inbox/five.txt
          """)
      }
    }
    let expected = Set(
      (10..<60).map { "deep/\($0)/a/n.txt" } + ["two.txt", "three.txt", "folder/four.txt", "five.txt"])
    #expect(runs.withLock { $0 } == [["first.txt"], expected])
  }
}
