/** What Chromium has recorded, in Firefox's player: its length, seeking, and playing to the end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';
import { getWholeSession, saveRecording } from '../lib/api.ts';
import { probeFrames } from '../lib/ffmpeg.ts';
import { expect, FILM_FRAMES, recordCameraWithReload, test as base } from '../lib/film-test.ts';
import { FIREFOX, launchFirefox, openPlayer } from '../lib/firefox.ts';
import { accountForFrames, readShownFrame } from '../lib/frames.ts';
import { lengthOf, placeOf, seek, type Player } from '../lib/player.ts';

const PART_MS = 4_000;
const LENGTH_TOLERANCE_S = 0.05;
const SEEK_TOLERANCE_S = 0.1;

const test = base.extend<object, { firefox: Browser }>({
  firefox: [
    async ({}, use) => {
      const firefox = await launchFirefox();
      await use(firefox);
      await firefox.close();
    },
    { scope: 'worker', timeout: 60_000 },
  ],
});

test.skip(!FIREFOX, 'Firefox is not installed');

async function playToTheEnd(player: Player, from: number): Promise<void> {
  const duration = await lengthOf(player);
  await seek(player, from);
  await player.evaluate((media: HTMLMediaElement) => {
    // Machines that test have no sound card, which Firefox takes for a broken one.
    media.muted = true;
    return media.play();
  });
  await expect
    .poll(() => player.evaluate((media: HTMLMediaElement) => media.ended), { timeout: 20_000 })
    .toBe(true);
  expect(Math.abs((await placeOf(player)) - duration)).toBeLessThan(SEEK_TOLERANCE_S);
  expect(await player.evaluate((media: HTMLMediaElement) => media.error?.message)).toBeFalsy();
}

test('sound and camera of two recorder runs', async ({
  firefox, recordPage, request, server,
}, testInfo) => {
  const id = await recordCameraWithReload(recordPage, PART_MS);
  const session = await getWholeSession(request, id);
  const path = await saveRecording(request, session, testInfo);
  const player = await openPlayer(firefox, `${server.baseURL}/sessions/${session.id}`);

  const duration = await lengthOf(player);
  expect(Math.abs(duration - session.duration_ms / 1000)).toBeLessThan(LENGTH_TOLERANCE_S);
  const seam = session.tracks[0]!.segments[0]!.duration_ms / 1000;
  const { numbers } = await accountForFrames(path, FILM_FRAMES);
  const times = (await probeFrames(path, 'v:0')).map(({ pts_time }) => Number(pts_time));
  for (const target of [seam + 0.5, 1.3, duration - 0.5, seam - 0.3, seam + 0.2, duration / 2]) {
    const seeked = await seek(player, target);
    expect(Math.abs(seeked.at - target)).toBeLessThan(SEEK_TOLERANCE_S);
    const near = numbers.filter(
      (_, i) => Math.abs((times[i] ?? Infinity) - target) <= SEEK_TOLERANCE_S,
    );
    await expect(async () => {
      expect(near, `the picture at ${target} s`).toContain(await readShownFrame(player));
    }).toPass({ timeout: 2_000 });
  }
  await playToTheEnd(player, seam - 1);
});

test('two sounds, mixed into one for players', async ({
  firefox, page, recordPage, request, server,
}) => {
  await recordPage.open();
  await page.getByRole('radio', { name: 'Two microphones' }).check();
  await recordPage.start();
  await delay(PART_MS);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  const address = `${server.baseURL}/sessions/${session.id}`;
  await expect
    .poll(async () => (await request.get(`${address}`)).text(), { timeout: 20_000 })
    .toContain('/playback');
  const player = await openPlayer(firefox, address);
  const duration = await lengthOf(player);
  expect(Math.abs(duration - session.duration_ms / 1000)).toBeLessThan(LENGTH_TOLERANCE_S);
  for (const target of [duration - 0.5, 0.7, duration / 2]) {
    expect(Math.abs((await seek(player, target)).at - target)).toBeLessThan(SEEK_TOLERANCE_S);
  }
  await playToTheEnd(player, 1);
});
