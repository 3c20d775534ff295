import Platform
import TestSupport
import Testing

@Suite struct CompactBytesTests {
  private static let numbers = [0, 1, -1, 63, 64, -64, -65, 8191, 1 << 40, .max, .min]
  private static let texts = ["", "W", "configurations.extxyz", "é\u{0}", String(repeating: "x", count: 300)]

  private static var encoded: [UInt8] {
    var encoder = CompactEncoder()
    for number in numbers { encoder.add(number) }
    for text in texts + texts { encoder.add(shared: text) }
    for text in texts { encoder.add(text) }
    encoder.addSized { inner in
      inner.add(Digest(of: "a"))
      inner.add(texts[2])
    }
    encoder.add(-0.0)
    encoder.add(Double?.none)
    encoder.add(Double?.some(.infinity))
    encoder.add([1, 2, 255])
    encoder.add(true)
    return encoder.finish()
  }

  private static func read(_ bytes: [UInt8]) throws {
    var decoder = try CompactDecoder(bytes)
    for number in numbers { #expect(try decoder.number() == number) }
    for text in texts + texts { #expect(try decoder.sharedText() == text) }
    for text in texts { #expect(try decoder.text() == text) }
    let size = try decoder.count()
    var inner = decoder.at(try decoder.skip(size))
    #expect(try inner.digest() == Digest(of: "a"))
    #expect(try inner.text() == texts[2] && inner.place == decoder.place)
    #expect(try decoder.double().bitPattern == (-0.0).bitPattern)
    #expect(try decoder.optionalDouble() == nil)
    #expect(try decoder.optionalDouble() == .infinity)
    #expect(try decoder.byteString() == [1, 2, 255])
    #expect(try decoder.flag() && decoder.isAtEnd)
  }

  @Test func valuesComeBack() throws { try Self.read(Self.encoded) }

  @Test func everyBeginningIsRefused() {
    let whole = Self.encoded
    for cut in whole.indices {
      #expect(throws: CompactDecoder.Damaged.self, "cut at \(cut)") { try Self.skim(Array(whole[..<cut])) }
    }
  }

  /// Whatever the bytes are, there is an answer and no trap.
  @Test func nothingTraps() {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      var bytes = Self.encoded
      for _ in 0..<3 {
        let place = Int.random(in: bytes.indices, using: &generator)
        bytes[place] = UInt8.random(in: 0...255, using: &generator)
      }
      _ = try? Self.skim(bytes)
    }
  }

  private static func skim(_ bytes: [UInt8]) throws {
    var decoder = try CompactDecoder(bytes)
    for _ in numbers { _ = try decoder.number() }
    for _ in texts + texts { _ = try decoder.sharedText() }
    for _ in texts { _ = try decoder.text() }
    _ = try decoder.skip(try decoder.count())
    _ = try decoder.double()
    _ = (try decoder.optionalDouble(), try decoder.optionalDouble())
    _ = (try decoder.byteString(), try decoder.flag())
  }
}
