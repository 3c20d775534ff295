/// What tests do behind the program's back, and what they look at afterwards.
extension MemoryDisk {
  mutating func dropFolder(_ path: String, _ wall: Timestamp) -> UInt64 {
    var folder = Self.root
    var trail = ""
    for name in path.split(separator: "/").map(String.init) {
      trail += "/" + name
      if let next = nodes[folder]!.entries[name] {
        folder = next
      } else {
        let now = tick(wall)
        folder = try! insert(trail, .folder, .createFolder, now)
      }
    }
    return folder
  }

  mutating func drop(_ path: String, _ bytes: [UInt8], _ wall: Timestamp) {
    let folder = dropFolder(Path.parent(path), wall)
    let now = tick(wall)
    let node =
      nodes[folder]!.entries[Path.name(path)]
      ?? (try! insert(path, .file, .create, now))
    truncate(node, to: 0, now)
    try! write(node, at: 0, bytes, path, now)
  }

  mutating func dropSpecial(_ path: String, _ wall: Timestamp) {
    _ = dropFolder(Path.parent(path), wall)
    let now = tick(wall)
    _ = try! insert(path, .special, .create, now)
  }

  mutating func setModified(_ path: String, _ time: Timestamp) {
    nodes[try! find(path, .touch)]!.modified = time
  }

  mutating func setOwner(_ path: String, _ owner: UInt32) {
    nodes[try! find(path, .touch)]!.owner = owner
  }

  func tree(_ path: String) -> [(path: String, content: [UInt8]?)] {
    guard let start = try? find(path, .status) else { return [] }
    var result: [(path: String, content: [UInt8]?)] = []
    func visit(_ number: UInt64, _ path: String) {
      let node = nodes[number]!
      switch node.kind {
      case .folder:
        result.append((path, nil))
        for name in node.entries.keys.sorted(by: bytewiseLess) {
          visit(node.entries[name]!, Path.join(path, name))
        }
      case .symbolicLink: result.append((path, Array("-> \(node.target)".utf8)))
      case .file, .special: result.append((path, node.content))
      }
    }
    visit(start, path)
    return result
  }
}

/// How much of what was never synchronized a power cut lets survive.
public enum PowerLoss: Sendable {
  /// Nothing: names and contents are as last synchronized.
  case onlySynchronized
  /// All names, no contents: the empty files that careless programs find after a reboot.
  case namesWithoutContents
  /// Everything: the process was killed, the machine went on.
  case everything
  /// Each change of names and each content on its own, by a seeded coin; contents may be torn.
  case random(seed: UInt64)
}

extension MemoryFileSystem {
  /// The disk as it is found after a power cut now. This one stays as it is.
  public func afterPowerLoss(_ loss: PowerLoss) -> MemoryFileSystem {
    let disk = state.withLock { disk in
      var after = disk
      after.lose(loss)
      return after
    }
    return MemoryFileSystem(clock: clock, disk: disk)
  }
}

extension MemoryDisk {
  fileprivate mutating func lose(_ loss: PowerLoss) {
    var coin: SplitMix
    switch loss {
    case .everything:
      // Contents may be lost by a later power cut still; the kernel drops the locks.
      for number in nodes.keys { nodes[number]!.isLocked = false }
      touches = []
      return
    case .random(let seed): coin = SplitMix(state: seed)
    case .onlySynchronized, .namesWithoutContents: coin = SplitMix(state: 0)
    }
    for change in pending {
      switch loss {
      case .onlySynchronized: break
      case .namesWithoutContents, .everything: settle(change)
      case .random: if coin.next() & 1 == 0 { settle(change) }
      }
    }
    pending = []
    touches = []
    for number in nodes.keys.sorted() {
      var node = nodes[number]!
      if case .random = loss, node.content != node.durableContent {
        switch coin.next() % 3 {
        case 0: break
        case 1: node.durableContent = node.content
        default:
          // Torn: the new length and a part of the new bytes; the rest is what was there, or zero.
          let cut = Int(coin.next() % UInt64(node.content.count + 1))
          let old = node.durableContent
          node.durableContent = node.content.indices.map {
            $0 < cut ? node.content[$0] : ($0 < old.count ? old[$0] : 0)
          }
        }
      }
      node.content = node.durableContent
      node.entries = node.durableEntries
      node.isLocked = false
      nodes[number] = node
    }
  }
}

/// SplitMix64: the coin of `PowerLoss.random`.
private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
