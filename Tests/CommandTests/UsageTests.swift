import Foundation
import Testing

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct UsageTests {
  static let commands = [
    "run", "watch", "check", "status", "explain", "retry", "cancel", "work", "stages", "convert", "predict",
  ]

  @Test(arguments: commands) func everyCommandHelps(command: String) throws {
    let outcome = try Program()(command, "--help")
    #expect(outcome.status == 0)
    #expect(outcome.text.hasPrefix("usage: sluice \(command)"))
    #expect(outcome.messages.isEmpty)
  }

  @Test func theProgramListsItsCommandsInOneLineEach() throws {
    let outcome = try Program()("--help")
    #expect(outcome.status == 0)
    for command in Self.commands { #expect(outcome.text.contains("\n  \(command) "), "\(command)") }
    let lines = outcome.text.split(separator: "\n", omittingEmptySubsequences: false)
    let listed = try lines.firstIndex { try #/^  run /#.prefixMatch(in: $0) != nil }
    #expect(lines[(try #require(listed))...].prefix(Self.commands.count).allSatisfy { $0.hasPrefix("  ") })
  }

  @Test(arguments: [
    (["convrt", "x"], "did you mean 'convert'?"),
    (["convert", "x", "--ouput", "y"], "did you mean '--output'?"),
    (["convert", "x", "-o", "y", "--thread", "2"], "did you mean '--threads'?"),
    (["convert", "x"], "--output is missing"),
    (["convert", "-o", "y"], "usage: sluice convert"),
    (["convert", "x", "-o"], "--output needs a value"),
    (["convert", "x", "-o", "y", "--format", "cif"], "extxyz, json, poscar"),
    (["convert", "x", "-o", "y", "--keys", "quipp"], "ase, mace"),
    (["convert", "x", "-o", "y", "--keys", "mace", "--format", "json"], "--keys goes with --format extxyz"),
    (["convert", "x", "-o", "y", "--steps", "lost"], "did you mean 'last'?"),
    (["convert", "x", "-o", "y", "--steps", "every:0"], "every:N"),
    (["convert", "x", "-o", "y", "--steps", "energy:1meV"], "eV/atom, as energy:0.001"),
    (["convert", "x", "-o", "y", "--steps", "distnce:0.1"], "did you mean 'distance'?"),
    (["convert", "x", "-o", "y", "--steps", "force:0.1+first"], "only 'last' can be added"),
    (["predict", "x", "-o", "y", "--steps", "forces:0.1"], "did you mean 'force'?"),
    (["convert", "x", "-o", "y", "--types", "W,Xx"], "'Xx' is no chemical symbol"),
    (["convert", "x", "-o", "y", "--threads", "0"], "--threads must be a whole number"),
    (["convert", "x", "-o", "-", "--json"], "both want standard output"),
    (["convert", "x", "-o", "-", "--format", "poscar"], "-o FOLDER"),
    (["convert", "x", "-o", "/dev/null"], "pipe or device"),
    (["convert", "x", "-o", "/dev/stdout"], "-o -"),
    (["convert", "x", "-o", "/tmp"], "is a folder"),
    (["predict", "x", "-o", "y"], "--potential is missing"),
    (["predict", "x", "-o", "y", "--potental", "z"], "did you mean '--potential'?"),
  ]) func usageErrorsSayWhatWasMeant(words: [String], expected: String) throws {
    let program = try Program()
    let outcome = try program.run(words)
    #expect(outcome.status == 2)
    #expect(outcome.output.isEmpty)
    #expect(outcome.messages.contains(expected), "\(outcome.messages)")
    #expect(try program.names().isEmpty)
  }
}
