#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# demo.sh BUILD [OUT] - the main job on a real image, with every command shown
set -euo pipefail

build=$1
out=${2:-demo-out}
cotrace=$build/viewer/cotrace
io=$build/runtime/workloads/cotrace-io
image=$out/disk.qcow2
trace=$out/trace

show() {
    printf '\n$'
    printf ' %q' "$@"
    printf '\n'
    "$@"
}

rm -rf "$trace" "$out/timeline.json"
mkdir -p "$out"

printf '== A qcow2 image with allocated, zero and untouched clusters\n'
show qemu-img create -q -f qcow2 "$image" 64M
show qemu-io -f qcow2 -c 'write -q -P 0x11 0 4M' -c 'write -q -P 0x22 8M 1M' \
    -c 'write -q -z 16M 1M' "$image"

printf '\n== Record cotrace-io reading it, eight requests in flight\n'
reads=()
for offset in 0 1M 2M 3M 8M 12M 16M 40M; do
    reads+=(-c "aio_read -q $offset 256k")
done
show "$cotrace" record -o "$trace" -- "$io" -r -f qcow2 "${reads[@]}" \
    -c aio_flush "$image"

printf '\n== Its requests, and where their time went\n'
show "$cotrace" requests "$trace"

worker=$("$cotrace" requests "$trace" --all --json | python3 -c '
import json, sys
print(next(r["workers"][0] for r in map(json.loads, sys.stdin) if r["workers"]))')
printf '\n== Who asked for worker thread %s? Back to main, over every boundary\n' \
    "$worker"
show "$cotrace" backtrace "$trace" "--worker=$worker"

printf '\n== The timeline\n'
show "$cotrace" render "$trace" -o "$out/timeline.json"

printf '\n== Two runs of a program, before and after a change made one callback slow\n'
pairs=$build/tests/programs/pairs
rm -rf "$out/before" "$out/after"
show "$cotrace" record -o "$out/before" -- "$pairs" slow was
show "$cotrace" record -o "$out/after" -- "$pairs" slow is
show "$cotrace" diff "$out/before" "$out/after"
show "$cotrace" diff "$out/before" "$out/after" --html -o "$out/diff.html"

cat <<TXT

Written: $trace (the recording) and $out/timeline.json ($(wc -c < "$out/timeline.json") bytes).
Next:
  open $out/diff.html in a browser: both runs under one another
  load $out/timeline.json into https://ui.perfetto.dev or https://www.speedscope.app
  $cotrace stat $trace
  $cotrace requests $trace --all --sort=latency --limit=10
  $cotrace record -- your-program        (linked with this runtime)
TXT
