/** Sound files: WAV out, anything ffmpeg reads in. Knows nothing of tones. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ffmpeg, probeFrames } from './ffmpeg.ts';
import type { Pcm } from './tones.ts';

/** Enough for tones up to 6 kHz, and three times faster to search than 48 kHz. */
const DECODED_HZ = 16_000;
/** At which Opus is decoded: then a packet's samples are counted as the file counts them. */
const OPUS_HZ = 48_000;

/** Writes 16-bit mono PCM. */
export async function writeWav(path: string, { samples, sampleRate }: Pcm): Promise<void> {
  const dataBytes = samples.length * 2;
  const wav = Buffer.alloc(44 + dataBytes);
  wav.write('RIFF', 0, 'ascii');
  wav.writeUInt32LE(36 + dataBytes, 4);
  wav.write('WAVEfmt ', 8, 'ascii');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt32LE(sampleRate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36, 'ascii');
  wav.writeUInt32LE(dataBytes, 40);
  samples.forEach((sample, i) => {
    const clipped = Math.max(-1, Math.min(1, sample));
    wav.writeInt16LE(Math.round(clipped * 32_767), 44 + i * 2);
  });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, wav);
}

/** Encodes as Chromium's MediaRecorder does: WebM, Opus, mono, 128 kb/s, packets of 60 ms. */
export async function encodeOpusWebm(wavPath: string, webmPath: string): Promise<void> {
  await ffmpeg([
    '-y', '-i', wavPath, '-ac', '1', '-c:a', 'libopus', '-b:a', '128k', '-application', 'audio',
    '-frame_duration', '60', webmPath,
  ]);
}

/** Decodes the first sound track of a recording to mono, packet after packet. */
export async function decode(path: string): Promise<Pcm> {
  return { samples: await decodeTrack(path, 0, DECODED_HZ), sampleRate: DECODED_HZ };
}

/** A run of decoded samples, and where the file has it. */
export interface Piece {
  atMs: number;
  count: number;
}

/**
 * Decodes one sound track of a recording to mono, every packet at the time that the file gives it.
 * Holes are silence, and tracks of one file can be held against each other.
 */
export async function decodeInTime(path: string, track = 0): Promise<Pcm> {
  const [frames, samples] = await Promise.all([
    probeFrames(path, `a:${track}`),
    decodeTrack(path, track, OPUS_HZ),
  ]);
  const pieces = frames.map(({ pts_time, nb_samples = 0 }) => ({
    atMs: Number(pts_time) * 1000,
    count: nb_samples,
  }));
  return putInTime({ samples, sampleRate: OPUS_HZ }, pieces);
}

/** Spreads samples that lie one after another to the places of their pieces. */
export function putInTime({ samples, sampleRate }: Pcm, pieces: Piece[]): Pcm {
  const known = pieces.reduce((sum, { count }) => sum + count, 0);
  if (known !== samples.length) {
    throw new Error(`the times of ${known} samples are known, and there are ${samples.length}`);
  }
  const placeOf = ({ atMs }: Piece): number => Math.round((atMs * sampleRate) / 1000);
  const end = Math.max(0, ...pieces.map((piece) => placeOf(piece) + piece.count));
  const placed = new Float32Array(end);
  let from = 0;
  for (const piece of pieces) {
    // What a codec begins before the zero of the file is not played.
    const early = Math.max(0, -placeOf(piece));
    if (early < piece.count) {
      placed.set(samples.subarray(from + early, from + piece.count), placeOf(piece) + early);
    }
    from += piece.count;
  }
  return { samples: placed, sampleRate };
}

async function decodeTrack(path: string, track: number, sampleRate: number): Promise<Float32Array> {
  const raw = await ffmpeg([
    '-i', path, '-map', `0:a:${track}`, '-ac', '1', '-ar', String(sampleRate), '-f', 'f32le',
    'pipe:1',
  ]);
  const samples = new Float32Array(Math.floor(raw.length / 4));
  for (let i = 0; i < samples.length; i++) {
    samples[i] = raw.readFloatLE(i * 4);
  }
  return samples;
}
