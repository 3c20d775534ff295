// The command line: reads what was typed, runs a command, prints, exits.

import Foundation
import LinearAlgebra
import Platform

// A reader that went away (`sluice … | head`) is no error worth a message.
signal(SIGPIPE, SIG_DFL)
stopBLASThreads()
keepFreedMemory()
exit(runProgram(Array(CommandLine.arguments.dropFirst())))
