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

From the stop button to a recording that plays, and to the receipt, through the server, with every chunk in
its database, the file verified and synced; the median of three. What is recorded is stitched, verified and
synced meanwhile. "As recorded": the server has kept up, as it does while somebody speaks, and the last two
seconds come right before the stop. "All at once": everything comes as fast as the server takes it, as from
a page that was offline all the time, and then the stop. The receipt has the SHA-256 of the whole file,
which can only be made when the file is whole:

$playable

Inputs are made of what Chromium recorded (\`media/tests/fixtures\`), repeated, as two recorder runs.
Memory is the most that the process ever held. \`cat\` only copies the bytes, as a measure of the disk.
EOF
say "Wrote docs/benchmarks.md"
