#!/bin/sh
# Measures Sluice side by side with what else is at hand, on this machine, now. Run by hand: make bench.
# Numbers are CPU seconds of whole processes where nothing else is said; machines are noisy, so repeat.
set -eu
cd "$(dirname "$0")/.."
bin=$(swift build -c release --show-bin-path)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "== ACE: bcc tungsten, one thread, microseconds per atom"
"$bin/ace-benchmark"

echo
echo "== Reading VASP: generated runs of 60 MB (1 GB, real files, ASE: see ingest-benchmark --help)"
"$bin/ingest-benchmark" --scratch "$scratch"

echo
echo "== Fit: factors"
"$bin/fit-benchmark" factors
echo "== Fit: everything in memory"
"$bin/fit-benchmark" lapack 100
echo "== Fit: one more frame among 100 and 1000, alone and with 16 members (10000: see Benchmarks/Fit/scale.sh)"
sh Benchmarks/Fit/scale.sh 100 1000
MEMBERS=16 sh Benchmarks/Fit/scale.sh 100 1000
shared=${SLUICE_SHARED:-../shared}/datasets/w_uq
if [ -d "$shared" ]; then
  echo "== Fit: tungsten, prm2020 + A + B, from nothing and in lots"
  "$bin/fit-benchmark" scratch "$shared/prm2020.xyz.xz" "$shared/A_elastic.xyz.xz" "$shared/B_nonelastic.xyz.xz"
fi

echo
echo "== One pass of the example: from nothing, then with nothing new, then with one more run"
mkdir -p "$scratch/p/pipelines"
cp -r inbox "$scratch/p/"
sed 's/settle: [0-9.]*/settle: 0/' pipelines/tungsten.json5 > "$scratch/p/pipelines/tungsten.json5"
bash -c 'time "$@"' _ "$bin/sluice" run -q "$scratch/p/pipelines/tungsten.json5"
bash -c 'time "$@"' _ "$bin/sluice" run -q "$scratch/p/pipelines/tungsten.json5"
"$bin/generate-tungsten" --output "$scratch/p/inbox" --one-more >/dev/null
bash -c 'time "$@"' _ "$bin/sluice" run -q "$scratch/p/pipelines/tungsten.json5"
