#!/usr/bin/env bash
# Measures the media engine beside its peers, in one run, and writes docs/benchmarks.md.
set -euo pipefail
source "$(dirname "$0")/env.sh"

scripts/setup.sh build
say "Measuring (some minutes; nothing else should run)"
table=$(cargo bench "${LOCKED[@]}" --package media --bench stitch)
playable=$(cargo bench "${LOCKED[@]}" --package server --bench playable)
cat >docs/benchmarks.md <<EOF
# Benchmarks of the media engine

Measured on $(date -u +%Y-%m-%d) at $(git rev-parse --short HEAD), on $(nproc) cores of
$(awk -F ': ' '/model name/ { print $2; exit }' /proc/cpuinfo), by \`make bench-media\`: nothing here
was typed by hand. Programs run in turn, five rounds; the figures are medians. Such machines are noisy:
compare the rows of one input, not two reports.

$table

From the stop button to a recording that plays, through the server, with every chunk in its database, the
file verified and synced; the median of three. The chunks arrive as fast as the server takes them, and it
stops with the last; what came before is stitched meanwhile:

$playable

Inputs are made of what Chromium recorded (\`media/tests/fixtures\`), repeated, as two recorder runs.
Memory is the most that the process ever held. \`cat\` only copies the bytes, as a measure of the disk.
EOF
say "Wrote docs/benchmarks.md"
