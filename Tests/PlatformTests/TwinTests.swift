import Glibc
import Platform
import Testing

/// What the twins can do beyond being file systems.
@Suite struct TwinTests {
  @Test func logsWhatWasTouched() throws {
    let files = MemoryFileSystem()
    files.drop("/a/b", "hello")
    #expect(files.touches.isEmpty)
    _ = try files.readFile("/a/b")
    _ = try files.status(of: "/a")
    #expect(files.filesRead == ["/a/b"])
    #expect(files.touches.map(\.operation) == [.open, .status, .read, .read, .status])
    files.forgetTouches()
    #expect(files.filesRead.isEmpty)
    #expect(files.tree("/a").map(\.path) == ["/a", "/a/b"])
  }

  @Test func aFullDiskTakesWhatFits() throws {
    let files = MemoryFileSystem(room: 10)
    try files.createFile("/a", [1, 2, 3, 4])
    let file = try files.open("/b", .create)
    #expect(
      code { () throws(FileSystemError) in try file.write([UInt8](repeating: 7, count: 9)) }
        == .diskFull)
    #expect(try files.status(of: "/b").size == 6)
    #expect(code { () throws(FileSystemError) in try files.createFile("/c", [1]) } == .diskFull)
    #expect(try files.statusIfPresent(of: "/c") == nil)
  }

  @Test func aPowerCutTakesWhatWasNotSynchronized() throws {
    let files = MemoryFileSystem()
    try files.createFile("/named", [1, 2])
    try files.synchronizeFolder("/")
    let lazy = try files.open("/lazy", .create)
    try lazy.write([3, 4])
    try files.createFile("/unnamed", [5])

    let careful = files.afterPowerLoss(.onlySynchronized)
    #expect(careful.tree().map(\.path) == ["/", "/named"])
    #expect(try careful.readFile("/named") == [1, 2])

    let husks = files.afterPowerLoss(.namesWithoutContents)
    #expect(husks.tree().map(\.path) == ["/", "/lazy", "/named", "/unnamed"])
    #expect(try husks.readFile("/lazy") == [])
    #expect(try husks.readFile("/unnamed") == [5])

    #expect(try files.afterPowerLoss(.everything).readFile("/lazy") == [3, 4])
    // The disk that was cut off is itself untouched.
    #expect(try files.readFile("/lazy") == [3, 4])
  }

  @Test func aRandomPowerCutIsRepeatableAndNeverLosesWhatWasSynchronized() throws {
    let files = MemoryFileSystem()
    try files.createFile("/safe", [1, 2])
    try files.synchronizeFolder("/")
    for i in 0..<6 {
      let file = try files.open("/f\(i)", .create)
      try file.write([UInt8](repeating: 9, count: 8))
    }
    try files.rename("/f0", to: "/g")
    var outcomes: Set<String> = []
    for seed in 0..<64 {
      let a = files.afterPowerLoss(.random(seed: UInt64(seed))).tree()
      let b = files.afterPowerLoss(.random(seed: UInt64(seed))).tree()
      #expect(a.map(\.path) == b.map(\.path) && a.map(\.content) == b.map(\.content))
      #expect(a.first { $0.path == "/safe" }?.content == [1, 2])
      outcomes.insert(a.map { "\($0.path)\($0.content ?? [])" }.joined())
    }
    #expect(outcomes.count > 40)
  }

  @Test func aRenameIsOneChange() throws {
    let files = MemoryFileSystem()
    try files.createFile("/old", [1])
    try files.synchronizeFolder("/")
    try files.rename("/old", to: "/new")
    for seed in 0..<32 {
      let names = files.afterPowerLoss(.random(seed: UInt64(seed))).tree().map(\.path)
      #expect(names == ["/", "/new"] || names == ["/", "/old"])
    }
  }

  @Test func failsTheCallThatWasAskedFor() throws {
    func work(_ files: any FileSystem) throws(FileSystemError) {
      try files.replaceFile("/x", [1, 2, 3, 4])
    }
    let counting = FaultyFileSystem(MemoryFileSystem(), call: 0, .error(EIO))
    try work(counting)
    let calls = counting.calls
    #expect(calls >= 5 && !counting.hasFailed)
    for call in 1...calls {
      for number in [EIO, ENOSPC, EACCES] {
        let memory = MemoryFileSystem()
        let faulty = FaultyFileSystem(memory, call: call, .error(number))
        #expect(
          code { () throws(FileSystemError) in try work(faulty) }
            == FileSystemError(.write, "", errorNumber: number).code)
        #expect(faulty.hasFailed)
        // Nothing half-written is ever visible under the final name.
        let content = try memory.readFileIfPresent("/x")
        #expect(content == nil || content == [1, 2, 3, 4])
      }
      let memory = MemoryFileSystem()
      let crashing = FaultyFileSystem(memory, call: call, .crash)
      #expect(code { () throws(FileSystemError) in try work(crashing) } == .crashed)
      #expect(code { () throws(FileSystemError) in try work(crashing) } == .crashed)
      for seed in 0..<8 {
        let content = try memory.afterPowerLoss(.random(seed: UInt64(seed)))
          .readFileIfPresent("/x")
        #expect(content == nil || content == [1, 2, 3, 4], "call \(call), seed \(seed)")
      }
    }
  }

  @Test func aTornWriteLeavesHalf() throws {
    let memory = MemoryFileSystem()
    // open, write
    let faulty = FaultyFileSystem(memory, call: 2, .persistentError(ENOSPC))
    let file = try faulty.open("/x", .create)
    #expect(code { () throws(FileSystemError) in try file.write([1, 2, 3, 4]) } == .diskFull)
    #expect(try memory.readFile("/x") == [1, 2])
    #expect(code { () throws(FileSystemError) in try file.write([1]) } == .diskFull)
    #expect(try faulty.readFile("/x") == [1, 2])
  }

  @Test func theDiskHasItsOwnClock() throws {
    let clock = ManualClock(wallTime: Timestamp(seconds: 1000))
    let files = MemoryFileSystem(clock: clock)
    files.setClockSkew(.seconds(50))
    let time = try files.currentTime(in: "/")
    #expect(time - Timestamp(seconds: 1050) < .seconds(1) && time > Timestamp(seconds: 1050))
  }
}

@Suite struct TimeTests {
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
      (951_868_799, "2000-02-29T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
      (1_795_353_600, "2026-11-22T13:20:00Z"), (-1, "1969-12-31T23:59:59Z"),
    ] as [(Int64, String)])
  func writesIso8601(_ seconds: Int64, _ text: String) {
    // Expected values from `date -u -d @SECONDS`.
    #expect(Timestamp(seconds: seconds).description == text)
  }

  @Test func everyDayOfFourCenturiesFollowsTheOneBefore() {
    var year = 1970
    var month = 1
    var day = 1
    for number in 0..<Int64(106_000) {
      func two(_ v: Int) -> String { v < 10 ? "0\(v)" : "\(v)" }
      let text = Timestamp(seconds: number * 86_400).description
      if !text.hasPrefix("\(year)-\(two(month))-\(two(day))T00:00:00Z") {
        Issue.record("day \(number) is \(text), not \(year)-\(month)-\(day)")
        return
      }
      let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      let length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
      day += 1
      if day > length { (day, month) = (1, month + 1) }
      if month > 12 { (month, year) = (1, year + 1) }
    }
  }

  @Test func distantTimesAreClampedNotTrapped() {
    #expect(Timestamp(seconds: .max).nanoseconds == .max)
    #expect(Timestamp(seconds: .min).nanoseconds == .min)
    #expect(Timestamp(nanoseconds: .max) + .seconds(1) == Timestamp(nanoseconds: .max))
    #expect(
      (Timestamp(nanoseconds: .max) - Timestamp(nanoseconds: .min)).wholeNanoseconds == .max)
    #expect((Timestamp(seconds: 5) - Timestamp(seconds: 7)) == .seconds(-2))
  }

  @Test func theSystemClockRuns() {
    let clock = SystemClock()
    let first = clock.uptime
    #expect(clock.uptime >= first)
    #expect(clock.wallTime > Timestamp(seconds: 1_600_000_000))
  }

  @Test func aManualClockMovesOnlyWhenTold() {
    let clock = ManualClock(wallTime: Timestamp(seconds: 10))
    clock.advance(by: .seconds(3))
    #expect(clock.wallTime == Timestamp(seconds: 13) && clock.uptime == .seconds(3))
    clock.setWallTime(Timestamp(seconds: 1))
    #expect(clock.wallTime == Timestamp(seconds: 1) && clock.uptime == .seconds(3))
  }
}
