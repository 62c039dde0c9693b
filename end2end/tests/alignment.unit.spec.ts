/** Onsets, flips and how far they are apart: what is found out must be what was done. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import {
  apartness,
  burstsOf,
  FIRST_SHORTER_MS_MAX,
  flipsToWhite,
  LONGER_MS_MAX,
  partsOf,
  readBrightness,
  scheduleAt,
  scheduledMs,
  SHORTER_MS_MAX,
  wholeOnsets,
} from '../lib/alignment.ts';
import { decodeInTime, encodeOpusWebm, putInTime, writeWav } from '../lib/audio.ts';
import { ffmpeg } from '../lib/ffmpeg.ts';
import {
  BARS_STEP_MS,
  BURST_MS,
  INTERVALS_MS,
  PICTURE,
  PITCH_HZ,
  readBars,
} from '../lib/sources.ts';
import type { Pcm } from '../lib/tones.ts';

const SAMPLE_HZ = 48_000;
const PRECISION_MS = 5;
const FRAME_MS = 1_000 / 30;

/** So many moments of the schedule, from burst `first` on, that one at `atMs`. */
function scheduled(first: number, count: number, atMs: number): number[] {
  const zero = atMs - scheduledMs(first);
  return Array.from({ length: count }, (_, i) => zero + scheduledMs(first + i));
}

/** Silence with bursts in it. */
function sound(durationMs: number, bursts: { pitchHz: number; onsetsMs: number[] }[]): Pcm {
  const samples = new Float32Array((durationMs * SAMPLE_HZ) / 1000);
  for (const { pitchHz, onsetsMs } of bursts) {
    for (const onset of onsetsMs) {
      const from = Math.round((onset * SAMPLE_HZ) / 1000);
      for (let i = 0; i < (BURST_MS * SAMPLE_HZ) / 1000; i++) {
        const place = from + i;
        if (place >= 0 && place < samples.length) {
          const wave = 0.3 * Math.sin((2 * Math.PI * pitchHz * place) / SAMPLE_HZ);
          samples[place] = (samples[place] ?? 0) + wave;
        }
      }
    }
  }
  return { samples, sampleRate: SAMPLE_HZ };
}

function without({ samples, sampleRate }: Pcm, fromMs: number, toMs: number): Pcm {
  const at = (ms: number): number => Math.round((ms * sampleRate) / 1000);
  const kept = new Float32Array(samples.length - at(toMs) + at(fromMs));
  kept.set(samples.subarray(0, at(fromMs)));
  kept.set(samples.subarray(at(toMs)), at(fromMs));
  return { samples: kept, sampleRate };
}

function expectNear(found: number[], wanted: number[]): void {
  const described = `${found.map(Math.round).join(', ')} for ${wanted.map(Math.round).join(', ')}`;
  expect(found, described).toHaveLength(wanted.length);
  found.forEach((each, i) => {
    expect(Math.abs(each - (wanted[i] ?? Infinity)), described).toBeLessThan(PRECISION_MS);
  });
}

const onsetsOf = (pcm: Pcm, pitchHz: number): number[] => wholeOnsets(burstsOf(pcm, pitchHz));

test('bursts are found where they begin, each at its own pitch, through a codec', async ({}, testInfo) => {
  const [desk, lapel] = [scheduled(2, 9, 400), scheduled(2, 9, 431)];
  const both = sound(7_000, [
    { pitchHz: PITCH_HZ.desk, onsetsMs: desk },
    { pitchHz: PITCH_HZ.lapel, onsetsMs: lapel },
  ]);
  const path = testInfo.outputPath('both');
  await writeWav(`${path}.wav`, both);
  await encodeOpusWebm(`${path}.wav`, `${path}.webm`);
  const heard = await decodeInTime(`${path}.webm`);
  expectNear(onsetsOf(heard, PITCH_HZ.desk), desk);
  expectNear(onsetsOf(heard, PITCH_HZ.lapel), lapel);
  expect(burstsOf(heard, PITCH_HZ.computer)).toEqual([]);
});

test('a lag between two tracks is measured to the millisecond, in either direction', () => {
  const reference = scheduled(0, 8, 300);
  const [part] = partsOf(reference);
  for (const lagMs of [-45, -3, 0, 38, 73]) {
    const late = sound(7_000, [
      { pitchHz: PITCH_HZ.lapel, onsetsMs: reference.map((onset) => onset + lagMs) },
    ]);
    const { apartMs, aloneMs } = apartness(part!, onsetsOf(late, PITCH_HZ.lapel));
    expectNear(apartMs, reference.map(() => lagMs));
    expect(aloneMs).toEqual([]);
  }
});

test('a burst that one of two tracks lacks is told, but not where a part begins or ends', () => {
  const reference = scheduled(0, 8, 300);
  const [part] = partsOf(reference);
  expect(apartness(part!, reference.toSpliced(3, 1)).aloneMs).toEqual([reference[3]]);
  expect(apartness(part!, reference.slice(1, -1)).aloneMs).toEqual([]);
  const stray = (reference[4]! + reference[5]!) / 2;
  expect(apartness(part!, [...reference, stray]).aloneMs).toEqual([stray]);
});

test('a burst that lacks a piece has no onset, and one that was held up for a moment has', () => {
  const onsetsOfLonger = (byMs: number[]): number[] =>
    wholeOnsets(byMs.map((by, i) => ({ atMs: i * 1_000, lengthMs: BURST_MS + by })));
  const byMs = [-SHORTER_MS_MAX - 1, -SHORTER_MS_MAX, LONGER_MS_MAX, LONGER_MS_MAX + 1];
  expect(onsetsOfLonger([0, ...byMs])).toEqual([0, 2_000, 3_000]);
  expect(onsetsOfLonger([-FIRST_SHORTER_MS_MAX, 0])).toEqual([0, 1_000]);
  expect(onsetsOfLonger([-FIRST_SHORTER_MS_MAX - 1, 0])).toEqual([1_000]);
});

test('any two bursts say where in the schedule they stand', () => {
  for (let first = 0; first < INTERVALS_MS.length; first++) {
    const onsets = scheduled(first, 2, 1_234);
    const [part] = partsOf(onsets);
    expect(part!.firstBurst).toBe(first);
    expect(scheduleAt(part!, onsets[1]! + 100)).toBeCloseTo(scheduledMs(first + 1) + 100, 6);
  }
});

test('a reload splits the bursts into two parts, and nothing else does', () => {
  const [before, after] = [scheduled(1, 8, 150), scheduled(0, 6, 6_020)];
  const parts = partsOf([...before, ...after]);
  expect(parts.map(({ onsetsMs }) => onsetsMs)).toEqual([before, after]);
  expect(parts.map(({ firstBurst }) => firstBurst)).toEqual([1, 0]);
  parts.forEach(({ strayMs }) => expect(strayMs).toBeLessThan(1e-6));
});

for (const lostMs of [40, 120, 700]) {
  test(`${lostMs} ms that are lost inside a part are found out`, () => {
    const whole = sound(9_000, [{ pitchHz: PITCH_HZ.desk, onsetsMs: scheduled(0, 12, 200) }]);
    expect(partsOf(onsetsOf(whole, PITCH_HZ.desk))).toHaveLength(1);
    // In the silence after a burst.
    const from = scheduledMs(5) + 200 + BURST_MS + 50;
    const cut = without(whole, from, from + lostMs);
    expect(partsOf(onsetsOf(cut, PITCH_HZ.desk)).length).toBeGreaterThan(1);
  });
}

test('what is lost little by little adds up to a stray', () => {
  const [part] = partsOf(scheduled(0, 10, 300).map((onset, i) => onset - 12 * i));
  expect(part!.onsetsMs).toHaveLength(10);
  expect(part!.strayMs).toBeCloseTo(108, 6);
});

test('two cut bursts that meet at a seam are no onset', () => {
  const seamMs = 1_000;
  const joined = sound(3_000, [{ pitchHz: PITCH_HZ.desk, onsetsMs: [300, seamMs - 90, 1_700] }]);
  const bursts = burstsOf(joined, PITCH_HZ.desk);
  expectNear(wholeOnsets(bursts), [300, seamMs - 90, 1_700]);
  expectNear(wholeOnsets(bursts, [seamMs]), [300, 1_700]);
});

test('a burst that is cut at an end is no onset', () => {
  const cut = sound(2_000, [{ pitchHz: PITCH_HZ.desk, onsetsMs: [-100, 600, 1_900] }]);
  expectNear(onsetsOf(cut, PITCH_HZ.desk), [600]);
});

test('silence has no bursts', () => {
  expect(burstsOf(sound(1_000, []), PITCH_HZ.desk)).toEqual([]);
});

test('sound is put to its times: a hole is silence, and what begins too early is not played', () => {
  const samples = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const pieces = [{ atMs: -1, count: 2 }, { atMs: 1, count: 2 }, { atMs: 5, count: 2 }];
  const placed = putInTime({ samples, sampleRate: 1_000 }, pieces);
  expect([...placed.samples]).toEqual([2, 3, 4, 0, 0, 5, 6]);
  expect(() => putInTime({ samples, sampleRate: 1_000 }, pieces.slice(1))).toThrow(/6/);
});

test('flips of a film are found at the first picture that shows them', async ({}, testInfo) => {
  const path = testInfo.outputPath('flips.webm');
  const white = 'between(t,0,0.2)+between(t,1,1.2)+between(t,2.51,2.7)';
  await ffmpeg([
    '-y', '-f', 'lavfi', '-i', 'color=black:s=320x180:r=30:d=4',
    '-vf', `drawbox=enable='${white}':color=white:t=fill:w=iw:h=ih/2`,
    '-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '500k', path,
  ]);
  const film = await readBrightness(path);
  expect(film).toHaveLength(120);
  // The first picture is white, and nobody saw it turn.
  const flips = flipsToWhite(film);
  expect(flips).toHaveLength(2);
  expect(Math.abs(flips[0]! - 1_000)).toBeLessThanOrEqual(FRAME_MS);
  expect(flips[1]! - 2_510).toBeGreaterThanOrEqual(0);
  expect(flips[1]! - 2_510).toBeLessThanOrEqual(FRAME_MS + 1);
});

test('the bars of a picture say when it was taken, through a JPEG', async ({}, testInfo) => {
  const { width, height } = PICTURE;
  for (const steps of [0, 1, 0b1010_1010_1010, 4_321]) {
    const pixels = Buffer.alloc(width * height);
    for (let bit = 0; bit < 16; bit++) {
      if ((steps >> (15 - bit)) & 1) {
        for (let y = height / 2; y < height; y++) {
          const row = y * width;
          pixels.fill(255, row + (bit * width) / 16, row + ((bit + 1) * width) / 16);
        }
      }
    }
    const path = testInfo.outputPath(`bars-${steps}`);
    await writeFile(`${path}.pgm`, Buffer.concat([Buffer.from(`P5 ${width} ${height} 255\n`), pixels]));
    await ffmpeg(['-y', '-i', `${path}.pgm`, '-q:v', '6', `${path}.jpg`]);
    expect(await readBars(`${path}.jpg`)).toBe(steps * BARS_STEP_MS);
  }
});
