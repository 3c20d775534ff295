#!/bin/sh
# Measures Sluice side by side with what else is at hand, on this machine, now. Run by hand: make bench.
# Numbers are CPU seconds of whole processes where nothing else is said; machines are noisy, so repeat.
set -eu
cd "$(dirname "$0")/.."
bin=$(swift build -c release --show-bin-path)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cpu() { # label, bytes, command…: CPU seconds of the best of three runs, and MB/s
  label=$1; bytes=$2; shift 2
  best=""
  for _ in 1 2 3; do
    t=$(LC_ALL=C bash -c 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1' _ "$@" 2>&1 | awk '{print $1+$2}')
    best=$(printf '%s\n%s\n' "$t" "$best" | awk 'NF' | sort -g | head -n 1)
  done
  awk -v l="$label" -v t="$best" -v b="$bytes" 'BEGIN { printf "%-44s %8.3f s CPU %8.0f MB/s\n", l, t, b / 1e6 / (t > 0 ? t : 1e-9) }'
}

echo "== ACE: bcc tungsten, microseconds per atom"
"$bin/ace-benchmark"

echo
echo "== Reading: a long generated run (60 MB)"
"$bin/generate-tungsten" --output "$scratch" --big 60 >/dev/null
xml=$scratch/big/vasprun.xml
outcar=$scratch/big/OUTCAR
command -v xmllint >/dev/null 2>&1 && cpu "xmllint --sax --noout vasprun.xml" "$(stat -c %s "$xml")" xmllint --sax --noout "$xml"
cpu "sluice convert vasprun.xml (last step)" "$(stat -c %s "$xml")" "$bin/sluice" convert --steps last "$xml" -o "$scratch/x.extxyz"
cpu "sluice convert vasprun.xml (all steps)" "$(stat -c %s "$xml")" "$bin/sluice" convert "$xml" -o "$scratch/x.extxyz"
cpu "sluice convert OUTCAR (last step)" "$(stat -c %s "$outcar")" "$bin/sluice" convert --steps last "$outcar" -o "$scratch/x.extxyz"
cpu "sluice convert OUTCAR (all steps)" "$(stat -c %s "$outcar")" "$bin/sluice" convert "$outcar" -o "$scratch/x.extxyz"

echo
echo "== One pass of the example: from nothing, then with nothing new, then with one more run"
mkdir -p "$scratch/p/pipelines"
cp -r inbox "$scratch/p/"
sed 's/settle: [0-9.]*/settle: 0/' pipelines/tungsten.json5 > "$scratch/p/pipelines/tungsten.json5"
bash -c 'time "$@"' _ "$bin/sluice" run -q "$scratch/p/pipelines/tungsten.json5"
bash -c 'time "$@"' _ "$bin/sluice" run -q "$scratch/p/pipelines/tungsten.json5"
"$bin/generate-tungsten" --output "$scratch/p/inbox" --one-more >/dev/null
bash -c 'time "$@"' _ "$bin/sluice" run -q "$scratch/p/pipelines/tungsten.json5"
