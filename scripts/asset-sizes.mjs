// Prints the raw and compressed size of everything in a folder of web assets.
// What a page loads in all, and its budget, is measured in a browser: end2end/tests/sizes.spec.ts.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const [folder = 'dist'] = process.argv.slice(2);

const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
const names = readdirSync(folder, { recursive: true }).sort();
const files = names.filter((name) => statSync(join(folder, name)).isFile());
const rows = files.map((name) => {
  const bytes = readFileSync(join(folder, name));
  return {
    name,
    raw: bytes.length,
    gzip: gzipSync(bytes, { level: 9 }).length,
    brotli: brotliCompressSync(bytes, brotliOptions).length,
  };
});
const total = (column) => rows.reduce((sum, row) => sum + row[column], 0);
rows.push({ name: 'all', raw: total('raw'), gzip: total('gzip'), brotli: total('brotli') });

const kilobytes = (bytes) => (bytes / 1000).toFixed(1).padStart(9);
const width = Math.max(...rows.map((row) => row.name.length));
console.log(`${'kB'.padEnd(width)} ${'raw'.padStart(9)} ${'gzip'.padStart(9)} ${'brotli'.padStart(9)}`);
for (const { name, raw, gzip, brotli } of rows) {
  console.log(`${name.padEnd(width)} ${kilobytes(raw)} ${kilobytes(gzip)} ${kilobytes(brotli)}`);
}
