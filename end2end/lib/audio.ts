/** Sound files: WAV out, anything ffmpeg reads in. Knows nothing of tones. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Pcm } from './tones.ts';

/** Enough for tones up to 6 kHz, and three times faster to search than 48 kHz. */
const DECODED_HZ = 16_000;
const FFMPEG_DEADLINE_MS = 60_000;

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

/** Decodes the first sound track of a recording to mono. */
export async function decode(path: string): Promise<Pcm> {
  const raw = await ffmpeg([
    '-i', path, '-map', '0:a:0', '-ac', '1', '-ar', String(DECODED_HZ), '-f', 'f32le', 'pipe:1',
  ]);
  const samples = new Float32Array(Math.floor(raw.length / 4));
  for (let i = 0; i < samples.length; i++) {
    samples[i] = raw.readFloatLE(i * 4);
  }
  return { samples, sampleRate: DECODED_HZ };
}

/** Runs ffmpeg and gives what it wrote to its standard output. */
async function ffmpeg(args: string[]): Promise<Buffer> {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: FFMPEG_DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  const out: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => out.push(part));
  child.stderr.on('data', (part: Buffer) => complaints.push(part));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) {
    throw new Error(`ffmpeg ended with ${code}: ${Buffer.concat(complaints).toString().trim()}`);
  }
  return Buffer.concat(out);
}
