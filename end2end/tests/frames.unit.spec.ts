/** The film for the fake camera, and reading it back: what is found out must be what was done. */
import { test as base, expect } from '@playwright/test';
import { ffmpeg } from '../lib/ffmpeg.ts';
import { accountForFrames, writeFrames } from '../lib/frames.ts';

const FRAMES = 90;

const test = base.extend<{ film: string }>({
  film: async ({}, use, testInfo) => {
    const film = testInfo.outputPath('film.y4m');
    await writeFrames(film, FRAMES);
    await use(film);
  },
});

test('every frame of an encoded film is known by its number', async ({ film }, testInfo) => {
  const encoded = testInfo.outputPath('film.webm');
  await ffmpeg(['-y', '-i', film, '-c:v', 'libvpx', '-b:v', '500k', '-deadline', 'realtime', encoded]);
  const { numbers, jumps } = await accountForFrames(encoded, FRAMES);
  expect(numbers).toEqual(Array.from({ length: FRAMES }, (_, number) => number));
  expect(jumps).toEqual([]);
});

test('dropped and repeated frames are found out', async ({ film }, testInfo) => {
  const encoded = testInfo.outputPath('cut.webm');
  const some = "select='not(between(n,30,32))'";
  await ffmpeg(['-y', '-i', film, '-vf', some, '-fps_mode', 'passthrough', '-c:v', 'libvpx', encoded]);
  const { numbers, jumps } = await accountForFrames(encoded, FRAMES);
  expect(numbers).toHaveLength(FRAMES - 3);
  expect(jumps).toEqual([[29, 33]]);
});
