import Platform

/// One change of what is known about the inbox, as the journal keeps it.
public enum RegistryChange: Sendable, Equatable, Codable {
  /// A unit was read (anew). The latest record of a path wins.
  case learned(UnitRecord)
  /// A unit is gone from the inbox.
  case forgotten(path: String)
  /// Number of the inbox folder when it was last seen well.
  case inbox(inode: UInt64)
}

/// What is known about the inbox: a fold over `RegistryChange`s.
public struct UnitRegistry: Sendable, Equatable {
  public private(set) var records: [String: UnitRecord] = [:]
  public private(set) var rootInode: UInt64?

  public init() {}

  init(records: [String: UnitRecord], rootInode: UInt64?) { (self.records, self.rootInode) = (records, rootInode) }

  public init(_ changes: some Sequence<RegistryChange>) {
    for change in changes { apply(change) }
  }

  public mutating func apply(_ change: RegistryChange) {
    switch change {
    case .learned(let record): records[record.path] = record
    case .forgotten(let path): records[path] = nil
    case .inbox(let inode): rootInode = inode
    }
  }

  /// The fewest changes that give this registry, in the order of the paths: for compaction.
  public var changes: [RegistryChange] {
    (rootInode.map { [.inbox(inode: $0)] } ?? [])
      + records.keys.sorted(by: bytewiseLess).map { .learned(records[$0]!) }
  }

  /// How the inbox differs from what is known.
  public struct Difference: Sendable, Equatable {
    /// New, or with another signature than recorded; not necessarily settled.
    public var fresh: [InboxUnit] = []
    /// As recorded: need not be read.
    public var unchanged: [UnitRecord] = []
    /// Recorded but gone.
    public var removed: [UnitRecord] = []
  }

  /// Compares by signatures. Refuses to take an unmounted inbox for an emptied one.
  /// - Parameter acceptsNewFolder: the user said that the folder was made anew on purpose.
  public func difference(_ scan: InboxScan, inbox: String, acceptsNewFolder: Bool = false)
    throws(InboxError) -> Difference
  {
    var result = Difference()
    result.unchanged.reserveCapacity(scan.units.count)
    for unit in scan.units {
      if let record = records[unit.path], record.matches(unit) {
        result.unchanged.append(record)
      } else {
        result.fresh.append(unit)
      }
    }
    // Nearly always everything that is known is there unchanged.
    if result.unchanged.count == records.count { return result }
    let present = Set(scan.units.map(\.path))
    if let rootInode, rootInode != scan.rootInode, !acceptsNewFolder, !records.isEmpty,
      !records.keys.contains(where: present.contains)
    {
      throw .unmounted(path: inbox, known: records.count)
    }
    for path in records.keys.filter({ !present.contains($0) }).sorted(by: bytewiseLess) {
      let hidden = scan.unreadable.contains { path == $0 || path.hasPrefix($0 + "/") }
      if !hidden { result.removed.append(records[path]!) }
    }
    return result
  }
}

/// Tells which units have stopped changing: a pure function of the scans it is shown.
public struct SettleTracker: Sendable {
  /// How long a unit must look the same.
  public let settle: Duration
  private var seen: [String: (unit: InboxUnit, since: Duration)] = [:]

  public init(settle: Duration) { self.settle = settle }

  /// Shows the units of a scan made at `uptime` (a clock that never runs backwards).
  /// - Returns: those that looked the same in this and an earlier scan at least `settle` before it,
  ///   and the others.
  public mutating func observe(_ units: [InboxUnit], at uptime: Duration)
    -> (settled: [InboxUnit], unsettled: [InboxUnit])
  {
    var next: [String: (unit: InboxUnit, since: Duration)] = [:]
    var settled: [InboxUnit] = []
    var unsettled: [InboxUnit] = []
    for unit in units {
      let since = seen[unit.path].flatMap { $0.unit == unit ? $0.since : nil } ?? uptime
      next[unit.path] = (unit, since)
      if uptime - since >= settle { settled.append(unit) } else { unsettled.append(unit) }
    }
    seen = next
    return (settled, unsettled)
  }

  /// When the next of the unsettled units can be settled at the earliest.
  public func nextDue(after uptime: Duration) -> Duration? {
    seen.values.map { $0.since + settle }.filter { $0 > uptime }.min()
  }

  /// For a single pass: units whose files were last changed at least `settle` before `now`, both by
  /// the file system's clock. The change time counts, which no program can set; one that lies ahead
  /// by as much was made before the clock was set back.
  public static func settledByAge(_ units: [InboxUnit], now: Timestamp, settle: Duration)
    -> (settled: [InboxUnit], unsettled: [InboxUnit])
  {
    var result: (settled: [InboxUnit], unsettled: [InboxUnit]) = ([], [])
    for unit in units {
      let isOld = unit.files.allSatisfy {
        let age = now - $0.signature.changed
        return age >= settle || age <= .zero - settle && settle > .zero
      }
      if isOld { result.settled.append(unit) } else { result.unsettled.append(unit) }
    }
    return result
  }
}
