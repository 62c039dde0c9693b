// Numbers in a ZIP have 32 bits here: what is larger becomes several archives.
const ARCHIVE_BYTES_MAX = 0xffff_ffff;
const FILES_MAX = 0xffff;
const LOCAL_BYTES = 30;
const ENTRY_BYTES = 46;
const END_BYTES = 22;

// Hands the candidate a file.
export function saveFile(parts, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts));
  link.download = name;
  link.click();
}

// Files that grow, several at once. What is added lies in Blobs, which a browser may put on its disk.
export class Files {
  #files = new Map();

  add(name, bytes) {
    const file = this.#files.get(name) ?? { name, parts: [], bytes: 0, crc: 0 };
    file.parts.push(new Blob([bytes]));
    file.bytes += bytes.length;
    file.crc = crc32(bytes, file.crc);
    this.#files.set(name, file);
  }

  // What is alone as it is, several in an archive of that name.
  save(name) {
    const archives = archivesOf([...this.#files.values()], ARCHIVE_BYTES_MAX);
    archives.forEach((files, place) => {
      const [first] = files;
      const number = archives.length > 1 ? `-${place + 1}` : '';
      if (files.length === 1) {
        saveFile(first.parts, first.name);
      } else {
        saveFile(zipOf(files), `${name}${number}.zip`);
      }
    });
  }
}

// As few as hold all of them in their order. A file too large for any is alone.
export function archivesOf(files, bytesMax) {
  const archives = [];
  let room = 0;
  for (const file of files) {
    const bytes = file.bytes + LOCAL_BYTES + ENTRY_BYTES + 2 * file.name.length;
    if (bytes > room || archives.at(-1)?.length === FILES_MAX) {
      archives.push([]);
      room = bytesMax - END_BYTES;
    }
    archives.at(-1).push(file);
    room -= bytes;
  }
  return archives;
}

// The parts of an archive in which the files are stored as they are (APPNOTE.TXT 4.3). Names are ASCII.
export function zipOf(files) {
  const parts = [];
  const list = [];
  let at = 0;
  for (const file of files) {
    const name = Array.from(file.name, (character) => character.charCodeAt(0));
    const [noFlags, stored, noTime, firstDay] = [u16(0), u16(0), u16(0), u16(0x21)];
    const about = [
      ...u16(20), ...noFlags, ...stored, ...noTime, ...firstDay,
      ...u32(file.crc), ...u32(file.bytes), ...u32(file.bytes), ...u16(name.length), ...u16(0),
    ];
    parts.push(Uint8Array.from([...u32(0x04034b50), ...about, ...name]), ...file.parts);
    list.push(...u32(0x02014b50), ...u16(20), ...about);
    list.push(...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(at), ...name);
    at += LOCAL_BYTES + name.length + file.bytes;
  }
  const count = u16(files.length);
  const end = [
    ...u32(0x06054b50), ...u16(0), ...u16(0), ...count, ...count,
    ...u32(list.length), ...u32(at), ...u16(0),
  ];
  return [...parts, Uint8Array.from(list), Uint8Array.from(end)];
}

const u16 = (value) => [value & 0xff, (value >>> 8) & 0xff];
const u32 = (value) => [...u16(value), ...u16(value >>> 16)];

// Of bytes that follow on others of which it is known; 0 before the first.
export function crc32(bytes, before) {
  let crc = ~before;
  for (const byte of bytes) {
    crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc;
});
