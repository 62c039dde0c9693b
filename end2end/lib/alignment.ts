/**
 * How far the tracks of a recording are apart. The sources of `sources.ts` sound a burst, each at a
 * pitch of its own, and turn a picture white at the same moments. Here such moments are found in
 * what was recorded, and held against each other and against the schedule.
 */
import { ffmpeg, probeFrames } from './ffmpeg.ts';
import { BURST_MS, INTERVALS_MS } from './sources.ts';
import type { Pcm } from './tones.ts';

/** A pitch that stays below this is not there: what leaks in from another one is less. */
const AUDIBLE_MIN = 0.04;
/** So much sound is looked at for each moment: at least five waves of the lowest pitch. */
const WINDOW_MS = 10;
/** A dip shorter than this is the codec's. */
const DIP_MS_MAX = 25;
/** A burst that was cut is shorter than it should be, and says nothing about its onset. */
export const SHORTER_MS_MAX = 30;
/** The first one may have sounded already when its recording began. */
export const FIRST_SHORTER_MS_MAX = 10;
/** One is longer when its source stood still in the middle of it, as a busy browser's does. */
export const LONGER_MS_MAX = 60;
/** Two halves of bursts that meet at a seam can look like one. A seam is known this well. */
const SEAM_BLUR_MS = 150;
/**
 * Half of what two intervals of the schedule differ by at least. So a part that lacks more than
 * this in its middle is found out, and the place in the schedule is always known.
 */
export const INTERVAL_TOLERANCE_MS = 25;
/** Moments farther apart than this are not the same burst: half of the shortest interval. */
const REACH_MS = Math.min(...INTERVALS_MS) / 2;

/** After these bursts the schedule says the same again. */
const ROUND_MS = INTERVALS_MS.reduce((sum, interval) => sum + interval, 0);
const ROUND = INTERVALS_MS.length;
const BRIGHT = 128;

/** A tone that begins at `atMs`. */
export interface Burst {
  atMs: number;
  lengthMs: number;
}

/** Bursts that follow each other as the schedule says: captured in one go. */
export interface Part {
  onsetsMs: number[];
  /** Where the first of them stands in the schedule; a part that is captured early tells truly. */
  firstBurst: number;
  /** The farthest that a burst is from where the schedule puts it, reckoned from the first. */
  strayMs: number;
}

/** What two tracks have of one part, held against each other. */
export interface Apartness {
  /** How much later the other one is, burst by burst. */
  apartMs: number[];
  /** Where one of them has a moment that the other one lacks. */
  aloneMs: number[];
}

/** A moment of a film, and how bright it is, 0 to 255. */
export interface Brightness {
  atMs: number;
  level: number;
}

/** When burst `number` begins, counted from the schedule's beginning. */
export function scheduledMs(number: number): number {
  const inRound = INTERVALS_MS.slice(0, number % ROUND);
  return Math.floor(number / ROUND) * ROUND_MS + inRound.reduce((sum, each) => sum + each, 0);
}

/** The bursts at one pitch, whole or cut. */
export function burstsOf(pcm: Pcm, pitchHz: number): Burst[] {
  const loudness = loudnessOf(pcm, pitchHz);
  const greatest = loudness.reduce((most, each) => Math.max(most, each), 0);
  if (greatest < AUDIBLE_MIN) {
    return [];
  }
  const loud = loudness.filter((each) => each > greatest / 4).toSorted();
  const threshold = (loud[Math.floor(loud.length / 2)] ?? 0) / 2;
  const bursts: Burst[] = [];
  let fellAt = -Infinity;
  for (let ms = 1; ms < loudness.length; ms++) {
    const [before, here] = [loudness[ms - 1] ?? 0, loudness[ms] ?? 0];
    const crossedAt = ms - 1 + (threshold - before) / (here - before);
    const open = bursts.at(-1);
    if (before < threshold && here >= threshold) {
      if (open && crossedAt - fellAt < DIP_MS_MAX) {
        open.lengthMs = Infinity;
      } else {
        bursts.push({ atMs: crossedAt, lengthMs: Infinity });
      }
    } else if (before >= threshold && here < threshold) {
      fellAt = crossedAt;
      if (open) {
        open.lengthMs = fellAt - open.atMs;
      }
    }
  }
  return bursts;
}

/** The onsets of the bursts that are as long as they should be, and touch no seam of two parts. */
export function wholeOnsets(bursts: Burst[], seamsMs: number[] = []): number[] {
  const touches = ({ atMs, lengthMs }: Burst, seamMs: number): boolean =>
    seamMs > atMs - SEAM_BLUR_MS && seamMs < atMs + lengthMs + SEAM_BLUR_MS;
  return bursts
    .filter(({ lengthMs }, i) => {
      const shorterMax = i === 0 ? FIRST_SHORTER_MS_MAX : SHORTER_MS_MAX;
      return lengthMs >= BURST_MS - shorterMax && lengthMs <= BURST_MS + LONGER_MS_MAX;
    })
    .filter((burst) => !seamsMs.some((seamMs) => touches(burst, seamMs)))
    .map(({ atMs }) => atMs);
}

/** Splits onsets wherever they do not follow the schedule. */
export function partsOf(onsetsMs: number[]): Part[] {
  const parts: Part[] = [];
  let open: number[] = [];
  let expected: number | undefined;
  const close = (): void => {
    const next = expected ?? open.length - 1;
    const firstBurst = (((next - open.length + 1) % ROUND) + ROUND) % ROUND;
    parts.push({ onsetsMs: open, firstBurst, strayMs: strayOf(open, firstBurst) });
  };
  onsetsMs.forEach((onset, i) => {
    const before = onsetsMs[i - 1];
    if (before === undefined) {
      open.push(onset);
      return;
    }
    const interval = INTERVALS_MS.findIndex(
      (length) => Math.abs(onset - before - length) <= INTERVAL_TOLERANCE_MS,
    );
    if (interval >= 0 && (expected === undefined || interval === expected)) {
      open.push(onset);
      expected = (interval + 1) % ROUND;
    } else {
      close();
      open = [onset];
      expected = undefined;
    }
  });
  if (open.length > 0) {
    close();
  }
  return parts;
}

function strayOf(onsetsMs: number[], firstBurst: number): number {
  const zero = (onsetsMs[0] ?? 0) - scheduledMs(firstBurst);
  const strays = onsetsMs.map((onset, i) => Math.abs(onset - zero - scheduledMs(firstBurst + i)));
  return Math.max(0, ...strays);
}

/** How far the schedule has come at a place of the file, as the last burst of the part tells. */
export function scheduleAt(part: Part, fileMs: number): number {
  const last = part.onsetsMs.length - 1;
  return scheduledMs(part.firstBurst + last) + fileMs - (part.onsetsMs[last] ?? 0);
}

/**
 * Holds moments against the onsets of a part. The first and the last onset may lack their partner,
 * which may have been cut where the part begins and ends.
 */
export function apartness(part: Part, othersMs: number[]): Apartness {
  const nearest = (to: number, among: number[]): number | undefined =>
    among
      .filter((each) => Math.abs(each - to) < REACH_MS)
      .toSorted((one, other) => Math.abs(one - to) - Math.abs(other - to))[0];
  const { onsetsMs } = part;
  const [first, last] = [onsetsMs[0] ?? 0, onsetsMs.at(-1) ?? 0];
  const within = othersMs.filter((each) => each > first && each < last);
  const apartMs: number[] = [];
  const aloneMs = within.filter((each) => nearest(each, onsetsMs) === undefined);
  onsetsMs.forEach((onset, i) => {
    const partner = nearest(onset, othersMs);
    if (partner !== undefined) {
      apartMs.push(partner - onset);
    } else if (i > 0 && i < onsetsMs.length - 1) {
      aloneMs.push(onset);
    }
  });
  return { apartMs, aloneMs: aloneMs.toSorted((one, other) => one - other) };
}

/** When a film turns from black to white: the times of its first white pictures. */
export function flipsToWhite(film: Brightness[]): number[] {
  return film
    .filter(({ level }, i) => level > BRIGHT && (film[i - 1]?.level ?? Infinity) <= BRIGHT)
    .map(({ atMs }) => atMs);
}

/** How bright the upper half of every picture of a recording is, and when it is shown. */
export async function readBrightness(path: string): Promise<Brightness[]> {
  const side = 8;
  const [frames, raw] = await Promise.all([
    probeFrames(path, 'v:0'),
    ffmpeg([
      '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough',
      '-vf', `crop=iw:ih/2:0:0,scale=${side}:${side}:flags=area,format=gray`,
      '-f', 'rawvideo', 'pipe:1',
    ]),
  ]);
  const pictureBytes = side * side;
  if (frames.length * pictureBytes !== raw.length) {
    const there = raw.length / pictureBytes;
    throw new Error(`the times of ${frames.length} pictures are known, and there are ${there}`);
  }
  return frames.map(({ pts_time }, i) => {
    const picture = raw.subarray(i * pictureBytes, (i + 1) * pictureBytes);
    const level = picture.reduce((sum, pixel) => sum + pixel, 0) / pictureBytes;
    return { atMs: Number(pts_time) * 1000, level };
  });
}

/** How loud one pitch is at every millisecond: the amplitude of its wave. */
function loudnessOf({ samples, sampleRate }: Pcm, pitchHz: number): Float64Array {
  // Sums of the sound held against two waves of that pitch, a quarter of a wave apart: what they
  // have grown by over a window says how much of the pitch is in it, wherever its waves begin.
  const sines = new Float64Array(samples.length + 1);
  const cosines = new Float64Array(samples.length + 1);
  const turn = (2 * Math.PI * pitchHz) / sampleRate;
  for (let i = 0; i < samples.length; i++) {
    sines[i + 1] = (sines[i] ?? 0) + (samples[i] ?? 0) * Math.sin(turn * i);
    cosines[i + 1] = (cosines[i] ?? 0) + (samples[i] ?? 0) * Math.cos(turn * i);
  }
  const half = Math.round((WINDOW_MS * sampleRate) / 2000);
  const grown = (sums: Float64Array, from: number, to: number): number =>
    (sums[to] ?? 0) - (sums[from] ?? 0);
  const lengthMs = Math.floor((samples.length * 1000) / sampleRate);
  return Float64Array.from({ length: lengthMs }, (_, ms) => {
    const middle = Math.round((ms * sampleRate) / 1000);
    const [from, to] = [Math.max(0, middle - half), Math.min(samples.length, middle + half)];
    return Math.hypot(grown(sines, from, to), grown(cosines, from, to)) / half;
  });
}
