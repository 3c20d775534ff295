// The command line: reads what was typed, runs a command, prints, exits.

import Foundation
import LinearAlgebra

// A reader that went away (`sluice … | head`) is no error worth a message.
signal(SIGPIPE, SIG_DFL)
stopBLASThreads()
exit(runProgram(Array(CommandLine.arguments.dropFirst())))
