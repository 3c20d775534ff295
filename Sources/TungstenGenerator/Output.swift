import Foundation

/// The folder that everything is written below.
struct Output {
  let folder: URL

  func write(_ path: String, _ bytes: [UInt8]) throws {
    let file = folder.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    print("\(path)  \(bytes.count) bytes")
  }

  /// Writes pieces until `body` gives none.
  func stream(_ path: String, _ next: () -> [UInt8]?) throws {
    let file = folder.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
      throw CocoaError(.fileWriteUnknown)
    }
    let handle = try FileHandle(forWritingTo: file)
    var count = 0
    while let bytes = next() {
      try handle.write(contentsOf: Data(bytes))
      count += bytes.count
    }
    try handle.close()
    print("\(path)  \(count) bytes")
  }
}
