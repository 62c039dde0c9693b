// Gives what the browser's WASM takes from its script short names: those of wasm-bindgen end with 16
// digits of a hash, stand in both files, and cannot be compressed.
import { readFileSync, writeFileSync } from 'node:fs';

const [wasmPath, scriptPath] = process.argv.slice(2);

const IMPORTS = 2;
/** Bytes before the first section: the magic number and the version. */
const PREAMBLE_BYTES = 8;
/** Of an import: what kind it is of, and how its description is read over. */
const FUNCTION = 0;
const TABLE = 1;
const MEMORY = 2;
const GLOBAL = 3;
const WITH_MOST = 1;

const LONG_NAME = /^__wb.*[0-9a-f]{16}$/;

/** The names given out so far. */
const shortNames = new Map();

function shortNameOf(name) {
  if (!LONG_NAME.test(name)) {
    return name;
  }
  if (!shortNames.has(name)) {
    shortNames.set(name, `$${shortNames.size.toString(36)}`);
  }
  return shortNames.get(name);
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** LEB128. */
  number() {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      number += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        return number;
      }
    }
  }

  take(count) {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  text() {
    return new TextDecoder().decode(this.take(this.number()));
  }

  /** What `read` moves over. */
  span(read) {
    const start = this.at;
    read();
    return this.bytes.subarray(start, this.at);
  }
}

function numberToBytes(number) {
  const bytes = [];
  for (; number >= 0x80; number = Math.floor(number / 0x80)) {
    bytes.push((number % 0x80) | 0x80);
  }
  return [...bytes, number];
}

function textToBytes(text) {
  const bytes = new TextEncoder().encode(text);
  return [...numberToBytes(bytes.length), ...bytes];
}

function renamedImports(section) {
  const count = section.number();
  const bytes = numberToBytes(count);
  for (let n = 0; n < count; n++) {
    bytes.push(...textToBytes(section.text()), ...textToBytes(shortNameOf(section.text())));
    bytes.push(...section.span(() => skipDescription(section)));
  }
  return bytes;
}

function skipDescription(section) {
  const kind = section.byte();
  switch (kind) {
    case FUNCTION:
      section.number();
      break;
    case TABLE:
      section.byte();
      skipLimits(section);
      break;
    case MEMORY:
      skipLimits(section);
      break;
    case GLOBAL:
      section.take(2);
      break;
    default:
      throw new Error(`an import of the unknown kind ${kind}`);
  }
}

function skipLimits(section) {
  const flags = section.byte();
  section.number();
  if (flags & WITH_MOST) {
    section.number();
  }
}

const wasm = readFileSync(wasmPath);
const reader = new Reader(wasm);
const parts = [Buffer.from(reader.take(PREAMBLE_BYTES))];
while (reader.at < wasm.length) {
  const id = reader.byte();
  const content = reader.take(reader.number());
  const renamed = id === IMPORTS ? renamedImports(new Reader(content)) : content;
  parts.push(Buffer.from([id, ...numberToBytes(renamed.length)]), Buffer.from(renamed));
}

let script = readFileSync(scriptPath, 'utf8');
for (const [long, short] of shortNames) {
  if (!script.includes(long)) {
    throw new Error(`the script does not know ${long}`);
  }
  script = script.replaceAll(long, () => short);
}
writeFileSync(wasmPath, Buffer.concat(parts));
writeFileSync(scriptPath, script);
