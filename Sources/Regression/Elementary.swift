import Glibc

// The few elementary functions that are needed, so that no other file imports the C library.

func logarithm(_ x: Double) -> Double { Glibc.log(x) }

func exponential(_ x: Double) -> Double { Glibc.exp(x) }

func cosine(_ x: Double) -> Double { Glibc.cos(x) }
