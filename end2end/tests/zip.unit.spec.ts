/** The reader of archives, on one that was made by hand. */
import { expect, test } from '@playwright/test';
import { readZip } from '../lib/zip.ts';

interface Entry {
  name: string;
  bytes: Buffer;
  method?: number;
  /** The numbers of the list stand in its extra field, as in archives made for large files. */
  isLarge?: boolean;
}

const number = (value: number, bytes: 2 | 4 | 8): Buffer => {
  const out = Buffer.alloc(bytes);
  out.writeUIntLE(value, 0, Math.min(bytes, 6));
  return out;
};

function zipOf(entries: Entry[]): Buffer {
  const files: Buffer[] = [];
  const list: Buffer[] = [];
  let at = 0;
  for (const { name, bytes, method = 0, isLarge = false } of entries) {
    const sizes = [number(bytes.length, 4), number(bytes.length, 4)];
    const common = [number(20, 2), number(0, 2), number(method, 2), number(0, 4), number(0, 4)];
    const local = Buffer.concat([
      number(0x04034b50, 4), ...common, ...sizes, number(name.length, 2), number(4, 2),
      Buffer.from(name), Buffer.from([9, 9, 0, 0]), bytes,
    ]);
    const elsewhere = number(0xffffffff, 4);
    const extra = isLarge
      ? Buffer.concat([
          number(7, 2), number(2, 2), number(0, 2),
          number(1, 2), number(24, 2),
          number(bytes.length, 8), number(bytes.length, 8), number(at, 8),
        ])
      : Buffer.alloc(0);
    list.push(
      Buffer.concat([
        number(0x02014b50, 4), number(20, 2), ...common,
        ...(isLarge ? [elsewhere, elsewhere] : sizes),
        number(name.length, 2), number(extra.length, 2), number(0, 2), number(0, 4), number(0, 4),
        isLarge ? elsewhere : number(at, 4), Buffer.from(name), extra,
      ]),
    );
    files.push(local);
    at += local.length;
  }
  const listed = Buffer.concat(list);
  return Buffer.concat([
    ...files, listed,
    number(0x06054b50, 4), number(0, 4), number(entries.length, 2), number(entries.length, 2),
    number(listed.length, 4), number(at, 4), number(0, 2),
  ]);
}

const ENTRIES = [
  { name: 'session.json', bytes: Buffer.from('{}') },
  { name: 'empty', bytes: Buffer.alloc(0) },
  { name: 'recording.webm', bytes: Buffer.from([0, 1, 2, 0x50, 0x4b, 3, 4]), isLarge: true },
];

test('what is stored in an archive is read byte for byte, small or made for large files', () => {
  const read = readZip(zipOf(ENTRIES));
  expect([...read.keys()]).toEqual(ENTRIES.map(({ name }) => name));
  for (const { name, bytes } of ENTRIES) {
    expect(read.get(name)?.equals(bytes), name).toBe(true);
  }
});

test('what is compressed, cut or no archive at all is refused', () => {
  const packed = zipOf([{ name: 'packed', bytes: Buffer.from('abc'), method: 8 }]);
  expect(() => readZip(packed)).toThrow(/packed is not stored/);
  expect(() => readZip(zipOf(ENTRIES).subarray(10))).toThrow(/damaged/);
  expect(() => readZip(Buffer.from('nothing of the kind'))).toThrow(/no ZIP/);
});
