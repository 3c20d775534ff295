import Configurations
import Engine
import Platform
import StageKit
import Testing
import TungstenReference

/// The built-in stages on a disk that goes wrong: the next run ends with the same bytes.
@Suite struct FaultTests {
  private struct World {
    let files: MemoryFileSystem
    let clock: ManualClock

    init() {
      clock = ManualClock()
      files = MemoryFileSystem(clock: clock)
      files.drop("/project/pool/pool.xyz", Samples.pool)
      files.drop("/project/inbox/first.xml", Samples.run(1, count: 2).vasprun())
      files.drop("/project/inbox/OUTCAR", Samples.run(2, count: 2).outcar())
    }

    init(_ files: MemoryFileSystem) {
      self.files = files
      clock = files.clock
    }

    func pass(_ other: (any FileSystem)? = nil) throws -> PassResult {
      let (file, plan) = try TinyPipeline().load(in: "/project")
      let session = try Session(file, plan: plan, fileSystem: other ?? files, clock: clock, report: { _ in })
      let result = Result { try session.pass(version: "test") }
      try? session.close()
      return try result.get()
    }
  }

  @Test(arguments: [FaultyFileSystem.Fault.crash, .persistentError(28)])
  func theNextRunEndsWithTheSameBytes(_ fault: FaultyFileSystem.Fault) throws {
    let clean = World()
    let counting = FaultyFileSystem(clean.files, call: 0, .crash)
    let expected = try #require(try clean.pass(counting).outcome.publication)
    let samples = 8
    for k in 0..<samples {
      let call = 1 + (2 * k + (fault == .crash ? 0 : 1)) * counting.calls / (2 * samples)
      let world = World()
      let faulty = FaultyFileSystem(world.files, call: call, fault)
      #expect(throws: (any Error).self, "call \(call)") { try world.pass(faulty) }
      #expect(faulty.hasFailed)
      let after = World(world.files.afterPowerLoss(.everything))
      after.clock.advance(by: .seconds(900))
      let result = try after.pass()
      #expect(result.outcome.publication == expected, "call \(call) of \(counting.calls)")
      let latest = try #require(result.latest)
      #expect(try Outbox(after.files, folder: "/project/outbox").verify(run: latest) == [])
    }
  }
}
