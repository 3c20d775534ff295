#!/bin/sh
# libFuzzer on one reader: Tests/Fuzz/run.sh READER [SECONDS], from the project's folder.
# Builds apart from everything else, in .build/fuzz; findings stay there as crash-* files.
set -eu
reader=${1:?usage: Tests/Fuzz/run.sh READER [SECONDS]}
seconds=${2:-300}
# The runtime without a main: the program that SwiftPM links has its own.
runtime=$(find "$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib" \
  -name "libclang_rt.fuzzer_no_main-$(uname -m).a" | head -n 1)
[ -n "$runtime" ] || { echo "This Swift toolchain has no libFuzzer runtime." >&2; exit 1; }
export SLUICE_FUZZER_RUNTIME="$runtime"
swift build -c release --scratch-path .build/fuzz --product fuzz
program=$(swift build -c release --scratch-path .build/fuzz --show-bin-path)/fuzz
corpus=.build/fuzz/corpus/$reader
mkdir -p "$corpus"
"$program" "$reader" seeds "$corpus"
set -- "$program" "$reader" "$corpus"
# An empty dictionary ends libFuzzer.
dictionary=.build/fuzz/corpus/$reader.dict
[ ! -s "$dictionary" ] || set -- "$@" -dict="$dictionary"
exec "$@" -artifact_prefix=.build/fuzz/ -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536
