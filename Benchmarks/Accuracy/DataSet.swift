// Files come in, labelled configurations for training and for testing go out.

import Configurations
import Foundation
import Platform
import VASP

struct DataSet {
  var training: [Configuration]
  var test: [Configuration]

  init(_ options: Options) throws {
    training = try options.training.flatMap(Self.read)
    test = try options.test.flatMap(Self.read)
    if let source = options.onlySource {
      training.removeAll { $0.properties["source"] != .text(source) }
    }
    if let path = options.trainingNumbers {
      let bytes = try Self.bytes(path)
      let numbers = Set(
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { Int(String(decoding: $0, as: UTF8.self)) })
      let all = training
      training = all.filter { Self.number(of: $0).map(numbers.contains) ?? false }
      test += all.filter { !(Self.number(of: $0).map(numbers.contains) ?? false) }
    }
    if options.testEvery > 0 {
      var seen: [String: Int] = [:]
      let all = training
      training = []
      for frame in all {
        seen[frame.group, default: 0] += 1
        if seen[frame.group]! % options.testEvery == 0 { test.append(frame) } else { training.append(frame) }
      }
    }
    training = stride(from: 0, to: training.count, by: options.every).map { training[$0] }
  }

  var elements: [Element] { Array(Set((training + test).flatMap(\.species))) }

  private static func read(_ path: String) throws -> [Configuration] {
    let bytes = try bytes(path)
    let stream = SourceStream(MemoryByteSource(bytes), name: path)
    guard let entry = try stream.next() else { return [] }
    var reader = ExtendedXYZReader(entry, name: path)
    return try reader.readAll()
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw UsageError(description: "cannot read \(path)")
    }
    return [UInt8](data)
  }

  /// The number that `sid` begins with.
  private static func number(of configuration: Configuration) -> Int? {
    switch configuration.properties["sid"] {
    case .text(let text): Int(text.prefix { $0.isNumber })
    case .integer(let value): value
    default: nil
    }
  }
}

extension Configuration {
  /// What its file calls `config_type`.
  var group: String { provenance.group ?? "" }
}
