/** ffmpeg and ffprobe, for whatever the tests must read or make that a browser would not. */
import { spawn } from 'node:child_process';

const DEADLINE_MS = 60_000;

/** Runs ffmpeg and gives what it wrote to its standard output. */
export async function ffmpeg(args: string[]): Promise<Buffer> {
  return run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args]);
}

/** What ffprobe says of a file. Numbers that are not whole come as text. */
export interface Probe {
  format: { format_name: string; duration?: string };
  streams: ProbedStream[];
}

export interface ProbedStream {
  index: number;
  codec_type: string;
  codec_name: string;
  width?: number;
  height?: number;
  tags?: Record<string, string>;
}

/** One decoded frame: a picture, or so many samples of each channel. */
export interface ProbedFrame {
  pts_time: string;
  nb_samples?: number;
}

/** The container, and every stream in it. */
export async function probe(path: string): Promise<Probe> {
  return JSON.parse(await ffprobe(['-show_format', '-show_streams', path])) as Probe;
}

/** Every frame of one stream, say `a:1`, in the order in which they are decoded. */
export async function probeFrames(path: string, stream: string): Promise<ProbedFrame[]> {
  const entries = 'frame=pts_time,nb_samples';
  const json = await ffprobe(['-select_streams', stream, '-show_entries', entries, path]);
  return (JSON.parse(json) as { frames: ProbedFrame[] }).frames;
}

async function ffprobe(args: string[]): Promise<string> {
  return (await run('ffprobe', ['-loglevel', 'error', '-of', 'json', ...args])).toString();
}

async function run(program: string, args: string[]): Promise<Buffer> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
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
    const complaint = Buffer.concat(complaints).toString().trim();
    throw new Error(`${program} ended with ${code}: ${complaint}`);
  }
  return Buffer.concat(out);
}
