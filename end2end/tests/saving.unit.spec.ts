/** The writer of archives in the record page (frontend/js/saving.js), by the reader of the tests. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { crc32 as crcOf } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { readZip } from '../lib/zip.ts';

interface File {
  name: string;
  parts: Blob[];
  bytes: number;
  crc: number;
}

interface Saving {
  zipOf: (files: File[]) => BlobPart[];
  archivesOf: (files: File[], bytesMax: number) => File[][];
  crc32: (bytes: Uint8Array, before: number) => number;
}

/** Node takes no `.js` for a module that no `package.json` calls one. */
const source = readFileSync(resolve(import.meta.dirname, '../../frontend/js/saving.js'), 'base64');
const { zipOf, archivesOf, crc32 } = (await import(
  `data:text/javascript;base64,${source}`
)) as Saving;

function fileOf(name: string, ...pieces: Buffer[]): File {
  const crc = pieces.reduce((before, piece) => crc32(piece, before), 0);
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { name, parts: pieces.map((piece) => new Blob([Uint8Array.from(piece)])), bytes, crc };
}

test('what is put into an archive is read from it byte for byte', async () => {
  const pieces = [Buffer.from([0x1a, 0x45, 0xdf, 0xa3]), Buffer.alloc(70_000, 7)];
  const files = [fileOf('a.webm', ...pieces), fileOf('empty.part'), fileOf('b.jpg', pieces[0]!)];
  const read = readZip(Buffer.from(await new Blob(zipOf(files)).arrayBuffer()));
  expect([...read.keys()]).toEqual(['a.webm', 'empty.part', 'b.jpg']);
  expect(read.get('a.webm')?.equals(Buffer.concat(pieces))).toBe(true);
  expect(read.get('empty.part')?.length).toBe(0);
  expect(files.map(({ crc }) => crc)).toEqual([
    crcOf(Buffer.concat(pieces)),
    0,
    crcOf(pieces[0]!),
  ]);
});

test('an archive holds up to its limit, and the rest is in the next', () => {
  const files = ['a', 'b'].map((name) => fileOf(name, Buffer.alloc(100)));
  const both = 22 + 2 * (100 + 30 + 46 + 2);
  expect(archivesOf(files, both).map((some) => some.length)).toEqual([2]);
  expect(archivesOf(files, both - 1).map((some) => some.length)).toEqual([1, 1]);
  expect(archivesOf(files, 10).map((some) => some.length)).toEqual([1, 1]);
  expect(archivesOf([], both)).toEqual([]);
});
