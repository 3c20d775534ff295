import Configurations
import Platform

extension Outbox {
  /// Compares a run folder with a manifest: every file that is missing, changed or not listed.
  func verify(_ path: String, against manifest: OutboxManifest) throws(OutboxError) -> [String] {
    do throws(FileSystemError) {
      var faults: [String] = []
      var expected: Set<String> = [Self.manifestName]
      for file in manifest.files {
        expected.insert(file.path)
        do throws(FileSystemError) {
          let found = try fileSystem.digestOfFile(Path.join(path, file.path))
          if found != file.sha256 { faults.append(file.path) }
        } catch {
          if error.isEnvironmental { throw error }
          faults.append(file.path)
        }
      }
      let written = try fileSystem.readFileIfPresent(Path.join(path, Self.manifestName))
      if written != manifest.encoded() { faults.append(Self.manifestName) }
      for file in try filesBelow(path, "") where !expected.contains(file) { faults.append(file) }
      return faults.sorted(by: bytewiseLess)
    } catch { throw .fileSystem(error) }
  }

  /// Checks a published run against its own manifest; the faults, none for a sound run.
  public func verify(run number: Int) throws(OutboxError) -> [String] {
    let path = path(ofRun: number)
    let bytes: [UInt8]?
    do throws(FileSystemError) {
      bytes = try fileSystem.readFileIfPresent(Path.join(path, Self.manifestName))
    } catch { throw .fileSystem(error) }
    guard let manifest = bytes.flatMap(OutboxManifest.decode) else { return [Self.manifestName] }
    return try verify(path, against: manifest)
  }

  private func filesBelow(_ path: String, _ relative: String) throws(FileSystemError) -> [String] {
    var result: [String] = []
    for entry in try fileSystem.entries(of: Path.join(path, relative)) {
      let name = Path.join(relative, entry.name)
      if entry.status.kind == .folder {
        result += try filesBelow(path, name)
      } else {
        result.append(name)
      }
    }
    return result
  }

  /// Removes the oldest runs until `count` are left; never the one that `latest` names. A run
  /// disappears from `runs/` in one step.
  /// - Returns: the numbers that were removed.
  @discardableResult
  public func prune(keepingLast count: Int) throws(OutboxError) -> [Int] {
    precondition(count > 0, "at least one run is kept")
    let latest = try latestRun()
    let removed = try runs().dropLast(count).filter { $0 != latest }
    do throws(FileSystemError) {
      if !removed.isEmpty { try clearScratch() }
      for number in removed {
        let away = Path.join(scratch, "old-" + Self.name(number))
        try fileSystem.rename(path(ofRun: number), to: away)
        try fileSystem.synchronizeFolder(runsFolder)
        try fileSystem.removeTree(away)
      }
    } catch { throw .fileSystem(error) }
    return removed
  }
}
