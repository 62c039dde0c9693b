/** Reads ZIP archives whose entries are stored as they are: nothing else is asked for here. */

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** In the place of a number that does not fit: it stands among the extra fields. */
const ELSEWHERE = 0xffff_ffff;
const ZIP64_FIELD = 0x0001;

/** The contents of every entry, by name, in the order of the archive's own list. */
export function readZip(archive: Buffer): Map<string, Buffer> {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || end + END_BYTES > archive.length || archive.readUInt32LE(end) !== END_SIGNATURE) {
    throw new Error('this is no ZIP archive');
  }
  const entries = new Map<string, Buffer>();
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    expectSignature(archive, at, ENTRY_SIGNATURE);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
      archive.readUInt16LE(at + field),
    ) as [number, number, number];
    const name = archive.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    const extra = archive.subarray(at + ENTRY_BYTES + nameBytes).subarray(0, extraBytes);
    const isStored = archive.readUInt16LE(at + 10) === 0;
    const numbers = [24, 20, 42].map((field) => archive.readUInt32LE(at + field));
    const [bytes, , offset] = large(extra, numbers);
    if (!isStored || bytes === undefined || offset === undefined) {
      throw new Error(`${name} is not stored as it is`);
    }
    entries.set(name, contents(archive, offset, bytes));
    at += ENTRY_BYTES + nameBytes + extraBytes + commentBytes;
  }
  return entries;
}

function contents(archive: Buffer, offset: number, bytes: number): Buffer {
  expectSignature(archive, offset, LOCAL_SIGNATURE);
  const from =
    offset + LOCAL_BYTES + archive.readUInt16LE(offset + 26) + archive.readUInt16LE(offset + 28);
  if (from + bytes > archive.length) {
    throw new Error('the archive is cut');
  }
  return archive.subarray(from, from + bytes);
}

/** Size, stored size and offset: those that do not fit follow one another in the extra field. */
function large(extra: Buffer, numbers: number[]): number[] {
  let field = 0;
  while (field + 4 <= extra.length && extra.readUInt16LE(field) !== ZIP64_FIELD) {
    field += 4 + extra.readUInt16LE(field + 2);
  }
  let at = field + 4;
  return numbers.map((number) => {
    if (number !== ELSEWHERE) {
      return number;
    }
    at += 8;
    return Number(extra.readBigUInt64LE(at - 8));
  });
}

function expectSignature(archive: Buffer, at: number, signature: number): void {
  if (archive.readUInt32LE(at) !== signature) {
    throw new Error(`the archive is damaged at byte ${at}`);
  }
}
