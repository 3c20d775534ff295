import Glibc
import Platform
import TestSupport
import Testing

/// One file system under test with an empty folder of its own.
struct Subject: CustomTestStringConvertible, Sendable {
  enum Kind: String, CaseIterable, Sendable {
    case posix
    case posixWithoutOpenat2
    case memory
  }

  let kind: Kind
  let fileSystem: any FileSystem
  let folder: String
  private let keeper: ScratchFolder?

  init(_ kind: Kind) throws {
    self.kind = kind
    switch kind {
    case .posix, .posixWithoutOpenat2:
      let scratch = try ScratchFolder()
      keeper = scratch
      folder = scratch.path
      fileSystem = PosixFileSystem(usesOpenat2: kind == .posix)
    case .memory:
      let memory = MemoryFileSystem()
      memory.dropFolder("/project")
      keeper = nil
      folder = "/project"
      fileSystem = memory
    }
  }

  var testDescription: String { kind.rawValue }

  func path(_ name: String) -> String { Path.join(folder, name) }

  func makePipe(_ name: String) {
    if let memory = fileSystem as? MemoryFileSystem {
      memory.dropSpecial(path(name))
    } else {
      mkfifo(path(name), 0o600)
    }
  }
}

/// Runs `body` and returns the code of the error it throws, or nil.
func code(_ body: () throws(FileSystemError) -> Void) -> FileSystemError.Code? {
  do throws(FileSystemError) {
    try body()
    return nil
  } catch { return error.code }
}

/// What every file system must do, real or not.
@Suite struct FileSystemTests {
  @Test(arguments: Subject.Kind.allCases) func writesAndReadsBack(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    let path = subject.path("a")
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
    try files.createFile(path, bytes)
    #expect(try files.readFile(path) == bytes)
    let status = try files.status(of: path)
    #expect(status.kind == .file && status.size == 1000)
    #expect(code { () throws(FileSystemError) in try files.createFile(path, []) } == .alreadyExists)
    #expect(try files.readFile(path) == bytes)
    let appended = try files.open(path, .append)
    try appended.write([1, 2, 3])
    try appended.synchronize()
    #expect(try files.readFile(path) == bytes + [1, 2, 3])
    try appended.truncate(to: 5)
    try appended.write([9])
    #expect(try files.readFile(path) == Array(bytes[..<5]) + [9])
    #expect(try appended.status().size == 6)
  }

  @Test(arguments: Subject.Kind.allCases) func listsInByteOrder(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    for name in ["b", "a", "B", "ä", "a.b", "10", "9"] {
      try files.createFile(subject.path(name), [])
    }
    try files.createFolder(subject.path("folder"))
    try files.createSymbolicLink(subject.path("link"), to: "nowhere")
    let entries = try files.entries(of: subject.folder)
    #expect(
      entries.map(\.name) == ["10", "9", "B", "a", "a.b", "b", "folder", "link", "ä"])
    #expect(entries.first { $0.name == "folder" }?.status.kind == .folder)
    #expect(entries.first { $0.name == "link" }?.status.kind == .symbolicLink)
    #expect(
      try files.entries(of: "folder", beneath: subject.folder).isEmpty)
    #expect(
      code { () throws(FileSystemError) in _ = try files.entries(of: subject.path("a")) }
        == .notAFolder)
    #expect(
      code { () throws(FileSystemError) in _ = try files.entries(of: subject.path("none")) }
        == .notFound)
  }

  @Test(arguments: Subject.Kind.allCases) func neverFollowsLinksBelowARoot(_ kind: Subject.Kind)
    throws
  {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    try files.createFolder(subject.path("root"))
    try files.createFolder(subject.path("root/real"))
    try files.createFile(subject.path("secret"), [1])
    try files.createFile(subject.path("root/real/data"), [2])
    try files.createSymbolicLink(subject.path("root/out"), to: "../secret")
    try files.createSymbolicLink(subject.path("root/folder"), to: "real")
    let root = subject.path("root")
    func attempt(_ name: String) -> FileSystemError.Code? {
      code { () throws(FileSystemError) in _ = try files.open(name, beneath: root, .read) }
    }
    #expect(attempt("real/data") == nil)
    #expect(attempt("out") == .symbolicLink)
    #expect(attempt("folder/data") == .symbolicLink)
    #expect(attempt("../secret") == .leavesRoot)
    #expect(attempt("real/../../secret") == .leavesRoot)
    #expect(attempt("none") == .notFound)
    #expect(attempt("real/data/x") == .notAFolder)
    #expect(attempt("real") == .isAFolder)
    #expect(
      code { () throws(FileSystemError) in _ = try files.entries(of: "folder", beneath: root) }
        == .symbolicLink)
    // The root itself is the user's choice and may be a link.
    try files.createSymbolicLink(subject.path("alias"), to: "root")
    let file = try files.open("real/data", beneath: subject.path("alias"), .read)
    #expect(try file.readAll() == [2])
    #expect(try files.entries(of: subject.path("alias")).count == 3)
  }

  @Test(.timeLimit(.minutes(1)), arguments: Subject.Kind.allCases)
  func aPipeIsRefusedAndNeverWaitedFor(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    subject.makePipe("pipe")
    for mode in [OpenMode.read, .append] {
      let found = code { () throws(FileSystemError) in
        _ = try subject.fileSystem.open(subject.path("pipe"), mode)
      }
      // Without a reader the kernel refuses to open a pipe for writing by ENXIO.
      #expect(found == .notRegularFile || (mode == .append && found == .other), "\(mode)")
    }
    #expect(try subject.fileSystem.status(of: subject.path("pipe")).kind == .special)
  }

  @Test(arguments: Subject.Kind.allCases) func renamesLikePosix(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    func rename(_ a: String, _ b: String) -> FileSystemError.Code? {
      code { () throws(FileSystemError) in
        try files.rename(subject.path(a), to: subject.path(b))
      }
    }
    try files.createFile(subject.path("a"), [1])
    try files.createFile(subject.path("b"), [2])
    #expect(rename("a", "b") == nil)
    #expect(try files.readFile(subject.path("b")) == [1])
    #expect(try files.statusIfPresent(of: subject.path("a")) == nil)
    #expect(rename("a", "c") == .notFound)
    try files.createFolder(subject.path("empty"))
    try files.createFolder(subject.path("full"))
    try files.createFile(subject.path("full/x"), [])
    #expect(rename("empty", "full") == .notEmpty)
    #expect(rename("full", "empty") == nil)
    #expect(try files.entries(of: subject.path("empty")).map(\.name) == ["x"])
    #expect(rename("b", "empty") == .isAFolder)
    #expect(rename("empty", "b") == .notAFolder)
    #expect(
      code { () throws(FileSystemError) in try files.removeFolder(subject.path("empty")) }
        == .notEmpty)
    try files.removeTree(subject.path("empty"))
    #expect(try files.entries(of: subject.folder).map(\.name) == ["b"])
    try files.removeTree(subject.path("empty"))
  }

  @Test(arguments: Subject.Kind.allCases) func linksAreSecondNames(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    try files.createFile(subject.path("a"), [1])
    try files.createLink(subject.path("b"), to: subject.path("a"))
    #expect(
      code { () throws(FileSystemError) in
        try files.createLink(subject.path("b"), to: subject.path("a"))
      } == .alreadyExists)
    try files.removeFile(subject.path("a"))
    #expect(try files.readFile(subject.path("b")) == [1])
    try files.replaceSymbolicLink(subject.path("latest"), to: "b", scratch: subject.folder)
    try files.replaceSymbolicLink(subject.path("latest"), to: "c", scratch: subject.folder)
    #expect(try files.readSymbolicLink(subject.path("latest")) == "c")
    #expect(try files.entries(of: subject.folder).map(\.name) == ["b", "latest"])
  }

  @Test(arguments: Subject.Kind.allCases) func replacesWholeFiles(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    try files.createFolders(subject.path("x/y/z"))
    try files.createFolders(subject.path("x/y/z"))
    try files.replaceFile(subject.path("x/y/z/f"), [1, 2])
    try files.replaceFile(subject.path("x/y/z/f"), [3])
    #expect(try files.readFile(subject.path("x/y/z/f")) == [3])
    #expect(try files.entries(of: subject.path("x/y/z")).count == 1)
    #expect(
      code { () throws(FileSystemError) in try files.createFolders(subject.path("x/y/z/f")) }
        == .alreadyExists)
  }

  @Test(arguments: Subject.Kind.allCases) func locksExcludeUntilClosed(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    try files.createFile(subject.path("lock"), [])
    let second = try files.open(subject.path("lock"), .read)
    do {
      let first = try files.open(subject.path("lock"), .read)
      #expect(try first.tryLock())
      #expect(try first.tryLock())
      #expect(try !second.tryLock())
      withExtendedLifetime(first) {}
    }
    #expect(try second.tryLock())
  }

  @Test(arguments: Subject.Kind.allCases) func tellsTheTimeOfTheFileSystem(_ kind: Subject.Kind)
    throws
  {
    let subject = try Subject(kind)
    let files = subject.fileSystem
    let first = try files.currentTime(in: subject.folder)
    #expect(try files.entries(of: subject.folder).isEmpty)
    try files.createFile(subject.path("a"), [])
    let status = try files.status(of: subject.path("a"))
    #expect(status.modified >= first && status.changed >= first)
    try files.touch(subject.path("a"))
    #expect(try files.status(of: subject.path("a")).modified >= status.modified)
  }

  @Test(arguments: Subject.Kind.allCases) func privateFoldersKeepOthersOut(_ kind: Subject.Kind)
    throws
  {
    let subject = try Subject(kind)
    try subject.fileSystem.createFolder(subject.path("p"), isPrivate: true)
    #expect(try subject.fileSystem.status(of: subject.path("p")).permissions & 0o777 == 0o700)
    let owner = try subject.fileSystem.status(of: subject.path("p")).owner
    try subject.fileSystem.requireOwner(owner, of: subject.path("p"))
    #expect(
      code { () throws(FileSystemError) in
        try subject.fileSystem.requireOwner(owner + 1, of: subject.path("p"))
      } == .foreignOwner)
  }

  @Test(arguments: Subject.Kind.allCases) func knowsItsRoom(_ kind: Subject.Kind) throws {
    let subject = try Subject(kind)
    let free = try subject.fileSystem.freeSpace(at: subject.folder)
    #expect(free.bytes > 0 && free.files > 0)
    try subject.fileSystem.requireSpace(bytes: 1, files: 1, at: subject.folder)
    let error = #expect(throws: FileSystemError.self) {
      try subject.fileSystem.requireSpace(bytes: 1 << 60, files: 1, at: subject.folder)
    }
    #expect(error?.code == .diskFull)
    _ = try subject.fileSystem.kind(at: subject.folder)
  }

  @Test func aNameThatIsNotUTF8IsMarked() throws {
    let scratch = try ScratchFolder()
    try scratch.shell("printf x > \"$(printf 'bad\\377name')\"; printf x > good")
    let entries = try PosixFileSystem().entries(of: scratch.path)
    #expect(entries.count == 2)
    #expect(entries.filter(\.isNameValid).map(\.name) == ["good"])
  }

  @Test func theRealFileSystemIsTheOneOfTheFolder() throws {
    let scratch = try ScratchFolder()
    let files = PosixFileSystem()
    try scratch.shell("stat -f -c %t . > type")
    let text = String(decoding: try files.readFile(Path.join(scratch.path, "type")), as: UTF8.self)
    #expect(try files.kind(at: scratch.path).magic == UInt32(text.dropLast(), radix: 16))
    try scratch.shell("touch -d @4000000000.123456789 late; touch -d @-5 early")
    #expect(
      try files.status(of: Path.join(scratch.path, "late")).modified
        == Timestamp(seconds: 4_000_000_000, nanoseconds: 123_456_789))
    #expect(
      try files.status(of: Path.join(scratch.path, "early")).modified.description
        == "1969-12-31T23:59:55Z")
  }

  @Test func pathArithmetic() {
    #expect(
      Path.join("a", "b") == "a/b" && Path.join("", "b") == "b" && Path.join("a/", "b") == "a/b")
    #expect(Path.join("/", "b") == "/b" && Path.join("a", "") == "a")
    #expect(Path.parent("a/b/c") == "a/b" && Path.parent("a") == "" && Path.parent("/a") == "/")
    #expect(Path.name("a/b") == "b" && Path.name("b") == "b" && Path.name("/b") == "b")
  }

  @Test func errorsSayWhatHappenedAndWhatToDo() {
    let numbers: [(Int32, String)] = [
      (ENOSPC, "disk is full"), (EDQUOT, "quota"), (EIO, "input/output"), (EROFS, "read-only"),
      (EMFILE, "too many files"), (EACCES, "permission denied"), (ESTALE, "network file system"),
    ]
    var seen: Set<String> = []
    for (number, words) in numbers {
      let error = FileSystemError(.write, "outbox/x", errorNumber: number)
      #expect(error.description.hasPrefix("cannot write outbox/x: "))
      #expect(error.cause.contains(words))
      #expect(!error.remedy.isEmpty)
      #expect(seen.insert(error.cause).inserted && seen.insert(error.remedy).inserted)
      #expect(error.isEnvironmental == (number != EACCES))
    }
    let limit = FileSystemError(.watch, "inbox", errorNumber: ENOSPC)
    #expect(limit.description.contains("fs.inotify.max_user_watches"))
    let hostile = FileSystemError(.open, "a\u{1b}[2J\u{202e}b", errorNumber: ENOENT)
    #expect(!hostile.description.unicodeScalars.contains { $0.value < 32 || $0.value == 0x202E })
  }
}
