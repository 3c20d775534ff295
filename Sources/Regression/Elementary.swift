import Glibc

// The few elementary functions that are needed, so that no other file imports the C library.

package func logarithm(_ x: Double) -> Double { Glibc.log(x) }

package func exponential(_ x: Double) -> Double { Glibc.exp(x) }

package func cosine(_ x: Double) -> Double { Glibc.cos(x) }
