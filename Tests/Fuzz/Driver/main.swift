// libFuzzer around one reader: `fuzz vasprun CORPUS -max_total_time=300`; see run.sh.

import FuzzTargets
import Glibc

/// libFuzzer's own entry, from the toolchain's libclang_rt.fuzzer_no_main.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

// Set once, before the only thread begins to fuzz.
nonisolated(unsafe) var target = FuzzTarget.all[0]

func fail(_ text: String) -> Never {
  let line = Array((text + "\n").utf8)
  _ = write(STDERR_FILENO, line, line.count)
  exit(2)
}

guard CommandLine.arguments.count > 1, let named = FuzzTarget.named(CommandLine.arguments[1]) else {
  fail(
    "usage: fuzz READER [seeds FOLDER | libFuzzer options]; readers: "
      + FuzzTarget.all.map(\.name).joined(separator: " "))
}
target = named

if CommandLine.arguments.count == 4, CommandLine.arguments[2] == "seeds" {
  for (k, seed) in target.seeds.enumerated() {
    guard let file = fopen("\(CommandLine.arguments[3])/seed-\(k)", "w") else { fail("cannot write the seeds") }
    fwrite(seed, 1, seed.count, file)
    fclose(file)
  }
  if let file = fopen("\(CommandLine.arguments[3])/../\(target.name).dict", "w") {
    for token in target.tokens {
      let text = token.utf8.map { "\\x" + (String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)) }.joined()
      fputs("\"\(text)\"\n", file)
    }
    fclose(file)
  }
  exit(0)
}

// libFuzzer sees the program's name and its own options.
var arguments = CommandLine.unsafeArgv + 1
var count = CommandLine.argc - 1
exit(
  runFuzzer(&count, &arguments) { data, size in
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    if let cause = target.judge(Mutant(bytes: bytes)) { fatalError(cause) }
    return 0
  })
