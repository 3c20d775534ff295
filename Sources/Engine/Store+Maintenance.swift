import Configurations
import Platform

extension Store {
  /// What lies in the store.
  public struct Sizes: Sendable, Equatable {
    public var objects = 0
    public var bytes = 0
    public var actions = 0

    public init(objects: Int = 0, bytes: Int = 0, actions: Int = 0) {
      self.objects = objects
      self.bytes = bytes
      self.actions = actions
    }
  }

  /// What `verify` found.
  public struct Verification: Sendable, Equatable {
    public var sizes = Sizes()
    /// Objects that did not match; they are set aside now.
    public var damaged: [Digest] = []
    /// Actions that were unreadable (set aside now).
    public var damagedActions: [Digest] = []
    /// Actions of which an output is gone: they will run again.
    public var incompleteActions: [Digest] = []

    public var isSound: Bool { damaged.isEmpty && damagedActions.isEmpty }
  }

  /// What `collectGarbage` removed.
  public struct Collection: Sendable, Equatable {
    public var removed = Sizes()
    public var kept = Sizes()
  }

  public func sizes() throws(StoreError) -> Sizes {
    do throws(FileSystemError) {
      var sizes = Sizes()
      for (_, _, status) in try named(in: objects) {
        sizes.objects += 1
        sizes.bytes += status.size
      }
      sizes.actions = try named(in: actions).count
      return sizes
    } catch { throw .fileSystem(error) }
  }

  /// Reads everything and compares it with its digests.
  public func verify() throws(StoreError) -> Verification {
    do throws(FileSystemError) {
      var result = Verification()
      for (digest, path, status) in try named(in: objects) {
        switch try check(path, digest) {
        case .intact:
          result.sizes.objects += 1
          result.sizes.bytes += status.size
        case .damaged: result.damaged.append(digest)
        case .absent: break
        }
      }
      for (key, path, _) in try named(in: actions) {
        guard let bytes = try fileSystem.readFileIfPresent(path) else { continue }
        guard let record = Self.decode(bytes), record.key == key else {
          try setAside(path, key, "is not a whole action record")
          result.damagedActions.append(key)
          continue
        }
        result.sizes.actions += 1
        for output in record.outputs
        where try fileSystem.statusIfPresent(of: self.path(of: output.digest)) == nil {
          result.incompleteActions.append(key)
          break
        }
      }
      return result
    } catch { throw .fileSystem(error) }
  }

  /// Removes actions that are not in `keeping`, then objects that are neither in `reachable` nor an
  /// output of a kept action. What is younger than `grace` by the file system's clock stays: another
  /// node may be about to refer to it. Call it with the lock held.
  public func collectGarbage(
    reachable: Set<Digest>, keeping keys: Set<Digest>, grace: Duration = .seconds(3600)
  ) throws(StoreError) -> Collection {
    do throws(FileSystemError) {
      var result = Collection()
      guard try fileSystem.statusIfPresent(of: folder) != nil else { return result }
      let now = try fileSystem.currentTime(in: folder)
      func isOld(_ status: FileStatus) -> Bool { now - status.changed > grace }
      var live = reachable
      for (key, path, status) in try named(in: actions) {
        let record = try fileSystem.readFileIfPresent(path).flatMap(Self.decode)
        if keys.contains(key) || !isOld(status) {
          live.formUnion(record?.outputs.map(\.digest) ?? [])
          result.kept.actions += 1
        } else {
          try fileSystem.removeFile(path)
          result.removed.actions += 1
        }
      }
      for (digest, path, status) in try named(in: objects) {
        if live.contains(digest) || !isOld(status) {
          result.kept.objects += 1
          result.kept.bytes += status.size
        } else {
          try fileSystem.removeFile(path)
          result.removed.objects += 1
          result.removed.bytes += status.size
        }
      }
      for kind in [objects, actions] { try removeLeftovers(in: kind, isOld) }
      return result
    } catch { throw .fileSystem(error) }
  }

  /// Temporary files of writers that were cut off.
  private func removeLeftovers(in kind: String, _ isOld: (FileStatus) -> Bool)
    throws(FileSystemError)
  {
    for shard in try shards(in: kind) {
      for entry in try fileSystem.entries(of: shard)
      where entry.name.hasPrefix(".tmp-") && isOld(entry.status) {
        try fileSystem.removeFile(Path.join(shard, entry.name))
      }
    }
  }

  private func shards(in kind: String) throws(FileSystemError) -> [String] {
    guard try fileSystem.statusIfPresent(of: kind) != nil else { return [] }
    return try fileSystem.entries(of: kind).filter { $0.status.kind == .folder }.map {
      Path.join(kind, $0.name)
    }
  }

  /// Every file under `kind` that is named by a digest, in digest order.
  private func named(in kind: String) throws(FileSystemError)
    -> [(digest: Digest, path: String, status: FileStatus)]
  {
    var result: [(digest: Digest, path: String, status: FileStatus)] = []
    for shard in try shards(in: kind) {
      for entry in try fileSystem.entries(of: shard) where entry.status.kind == .file {
        guard let digest = Digest(hexadecimal: entry.name), digest.description == entry.name else {
          continue
        }
        result.append((digest, Path.join(shard, entry.name), entry.status))
      }
    }
    return result
  }
}
