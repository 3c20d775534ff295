import CLinux
import Glibc
import Synchronization

/// Changes as inotify reports them. Where inotify cannot be had, `polling()` only waits.
public final class InotifyEventSource: EventSource {
  private struct Watches {
    var folders: [Int32: String] = [:]
    var descriptors: [String: Int32] = [:]
  }

  /// -1 when this source only waits.
  private let queue: Int32
  private let alarm: Int32
  private let watches = Mutex(Watches())

  public convenience init() throws(FileSystemError) {
    let queue = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    if queue < 0 { throw FileSystemError(.watch, "inotify", errorNumber: errno) }
    do throws(FileSystemError) { try self.init(queue: queue) } catch {
      close(queue)
      throw error
    }
  }

  /// A source without events: every wait lasts to its limit unless interrupted.
  public static func polling() throws(FileSystemError) -> InotifyEventSource {
    try InotifyEventSource(queue: -1)
  }

  private init(queue: Int32) throws(FileSystemError) {
    let alarm = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
    if alarm < 0 { throw FileSystemError(.watch, "eventfd", errorNumber: errno) }
    self.queue = queue
    self.alarm = alarm
  }

  deinit {
    if queue >= 0 { close(queue) }
    close(alarm)
  }

  public func watch(_ folder: String) throws(FileSystemError) {
    guard queue >= 0, watches.withLock({ $0.descriptors[folder] == nil }) else { return }
    let mask =
      IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB
      | IN_DELETE_SELF | IN_MOVE_SELF
    let descriptor = inotify_add_watch(
      queue, folder, UInt32(mask) | UInt32(IN_ONLYDIR) | UInt32(IN_EXCL_UNLINK))
    if descriptor < 0 {
      // Gone again, or no longer a folder: the next scan will say so.
      if errno == ENOENT || errno == ENOTDIR { return }
      throw FileSystemError(.watch, folder, errorNumber: errno)
    }
    watches.withLock { watches in
      // A renamed folder keeps its watch; forget the old name.
      if let old = watches.folders[descriptor] { watches.descriptors[old] = nil }
      watches.folders[descriptor] = folder
      watches.descriptors[folder] = descriptor
    }
  }

  public func interrupt() {
    var one: UInt64 = 1
    _ = write(alarm, &one, 8)
  }

  public func wait(atMost limit: Duration) -> Wake {
    let clock = SystemClock()
    let deadline = clock.uptime + limit
    while true {
      let left = max(0, (deadline - clock.uptime).wholeNanoseconds)
      // Rounded up, so that a wait of a part of a millisecond does not spin.
      let milliseconds = Int32(min((left + 999_999) / 1_000_000, 3_600_000))
      var polled = [
        pollfd(fd: alarm, events: Int16(POLLIN), revents: 0),
        // A negative descriptor is skipped by poll.
        pollfd(fd: queue, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&polled, 2, milliseconds)
      if ready > 0 {
        var wake = Wake()
        if polled[0].revents != 0 {
          var count: UInt64 = 0
          _ = read(alarm, &count, 8)
          wake.isInterrupted = true
        }
        if polled[1].revents != 0 { drain(&wake) }
        return wake
      }
      // A signal may end poll early; the time that is left is waited for all the same.
      if clock.uptime >= deadline { return Wake() }
    }
  }

  /// Empties the queue. The layout is that of inotify(7): fixed fields, then a padded name.
  private func drain(_ wake: inout Wake) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(queue, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return }
      wake.hasChanges = true
      buffer.withUnsafeBytes { bytes in
        var offset = 0
        while offset + MemoryLayout<inotify_event>.size <= count {
          let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
          if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { wake.hasOverflowed = true }
          let gone = UInt32(IN_IGNORED) | UInt32(IN_MOVE_SELF)
          if event.mask & gone != 0 {
            watches.withLock { watches in
              // After a move the watch goes on under a name that is no longer right: the scan adds
              // the folder anew under its present one.
              if let folder = watches.folders.removeValue(forKey: event.wd) {
                watches.descriptors[folder] = nil
              }
            }
          }
          offset += MemoryLayout<inotify_event>.size + Int(event.len)
        }
      }
    }
  }
}
