// Makes the service worker: puts the list of what the record page needs, with its digests, before
// the worker's code. Names the build by all of that, and leaves the name in build-id for the server.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['offline.js', 'courier.js'];
const MADE_HERE = ['sw.js', 'build-id'];
/** What the record page loads. That nothing is missing is tested by loading it without a server. */
const NEEDED = [
  /^frontend\.js$/,
  /^frontend_bg\.wasm$/,
  /^style\/holdfast\.css$/,
  /^style\/recorder\.css$/,
  /^style\/favicon\.svg$/,
];
const BUILD_ID_DIGITS = 16;

const [sources, dist] = process.argv.slice(2);

const digest = (path, form) =>
  createHash('sha256').update(readFileSync(join(dist, path))).digest(form);

const built = readdirSync(dist, { recursive: true })
  .filter((path) => statSync(join(dist, path)).isFile() && !MADE_HERE.includes(path))
  .sort();
const needed = built.filter((path) => NEEDED.some((pattern) => pattern.test(path)));
for (const pattern of NEEDED) {
  if (!needed.some((path) => pattern.test(path))) {
    throw new Error(`nothing in ${dist} matches ${pattern}, which the record page needs`);
  }
}
const files = needed.map((path) => ({ path, integrity: `sha256-${digest(path, 'base64')}` }));
const code = SOURCES.map((name) => readFileSync(join(sources, name), 'utf8')).join('\n');
// All of dist is served under the build's name, so all of it counts.
const whole = JSON.stringify([built.map((path) => [path, digest(path, 'hex')]), code]);
const id = createHash('sha256').update(whole).digest('hex').slice(0, BUILD_ID_DIGITS);

const build = `const BUILD = ${JSON.stringify({ id, files }, null, 2)};`;
writeFileSync(join(dist, 'sw.js'), `${build}\n\n${code}`);
writeFileSync(join(dist, 'build-id'), `${id}\n`);
