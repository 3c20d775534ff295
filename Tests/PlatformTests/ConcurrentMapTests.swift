import Platform
import Testing

@Suite struct ConcurrentMapTests {
  private struct Failure: Error, Equatable { var index: Int }

  @Test(arguments: [1, 2, 5]) func sharesGiveWhatOneByOneGives(threads: Int) {
    for count in [0, 1, 255, 256, 257, 1000] {
      let squares = concurrentShares(count, threads: threads) { share in share.map { $0 * $0 } }
      #expect(squares == (0..<count).map { $0 * $0 }, "\(count)")
    }
  }

  @Test(arguments: [1, 2, 5]) func theFirstErrorIsThrown(threads: Int) {
    #expect(throws: Failure(index: 300)) {
      try concurrentShares(2000, threads: threads) { share in
        try share.map { index in
          if index >= 300 { throw Failure(index: index) }
          return index
        }
      }
    }
  }

  @Test func namesAreComparedByTheirBytes() {
    let names = [
      "", "a", "b", "ab", "a/b", "a.b", "A", "é", "e\u{301}", "z", "frames-000010.xyz", "frames-000009.xyz", "𝛼",
    ]
    for a in names {
      for b in names {
        #expect(bytewiseLess(a, b) == a.utf8.lexicographicallyPrecedes(b.utf8), "'\(a)' and '\(b)'")
      }
    }
  }
}
