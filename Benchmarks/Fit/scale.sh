#!/bin/sh
# What one new 100-atom frame costs in projects of many frames, 500 functions, two threads: the seconds of each stage
# as `sluice run -v` says them, and the processor time of the whole pass, three passes each.
# Usage: Benchmarks/Fit/scale.sh [sizes…]   e.g. 100 1000 10000; PER_FILE=100 for files of 100 frames; MEMBERS=16 for
# an ensemble; SCRATCH=folder keeps the projects. 10,000 frames need some 20 GB of disk.
set -eu
cd "$(dirname "$0")/../.."
bin=$(swift build -c release --show-bin-path)
per=${PER_FILE:-1}
scratch=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
ensemble="method: 'none'"
[ "${MEMBERS:-0}" -eq 0 ] || ensemble="method: 'bootstrap', members: $MEMBERS"
for size in "${@:-100}"; do
  project=$scratch/$size-$per-${MEMBERS:-0}
  mkdir -p "$project"
  [ -d "$project/inbox" ] || "$bin/fit-benchmark" frames "$project/inbox" 0 $((size / per)) "$per"
  cat > "$project/p.json5" <<EOF
{ sluice: 1, project: 'scale', elements: ['W'], inbox: 'inbox', outbox: 'outbox', settle: 0, threads: 2,
  stages: [ { use: 'ingest' }, { use: 'screen' }, { use: 'featurize', functions: 500 },
            { use: 'refit', ensemble: { $ensemble } } ] }
EOF
  # In a folder that was copied or kept, the first pass only finds that nothing is new.
  LC_ALL=C bash -c 'TIMEFORMAT="from nothing: %R s, processor %U + %S s"; time "$@" >/dev/null' _ \
    "$bin/sluice" run -v "$project/p.json5"
  for new in 1 2 3; do
    "$bin/fit-benchmark" frames "$project/inbox" $((1000000 + $(ls "$project/inbox" | wc -l))) 1 1
    echo "$size frames in files of $per, one more:"
    LC_ALL=C bash -c 'TIMEFORMAT="  whole pass %R s, processor %U + %S s"; time "$@"' _ \
      "$bin/sluice" run -v "$project/p.json5" 2>&1 | grep -E "^(ingest|screen|featurize|refit)|whole" | sed 's/^/  /'
  done
  du -sh "$project"/outbox/.sluice/objects "$project"/outbox/.sluice/memos | awk '{ print "  " $1 "  " $2 }' |
    sed "s|$project/outbox/.sluice/||"
done
