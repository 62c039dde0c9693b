/** A finished recording of sound and camera in the browser's own player: its length and seeking. */
import type { Locator } from '@playwright/test';
import { getWholeSession, saveRecording, type CompletedSession } from '../lib/api.ts';
import { probe, probeFrames } from '../lib/ffmpeg.ts';
import { expect, FILM_FRAMES, recordCameraWithReload, test as base } from '../lib/film-test.ts';
import { accountForFrames, readShownFrame } from '../lib/frames.ts';
import { lengthOf, placeOf, seek } from '../lib/player.ts';

const PART_MS = 4_000;
const LENGTH_TOLERANCE_S = 0.05;
const SEEK_TOLERANCE_S = 0.1;
/** Sound in WebM is Opus, which counts its samples at this rate. */
const OPUS_HZ = 48_000;

interface Recorded {
  session: CompletedSession;
  /** The file, as it was downloaded. */
  path: string;
  /** In the session's page. */
  player: Locator;
}

/** Sound and camera, with a reload in the middle: two recorder runs joined into one file. */
const test = base.extend<{ recorded: Recorded }>({
  recorded: async ({ page, request, recordPage }, use, testInfo) => {
    const id = await recordCameraWithReload(recordPage, PART_MS);
    const session = await getWholeSession(request, id);
    const path = await saveRecording(request, session, testInfo);
    await page.goto(`/sessions/${session.id}`);
    const player = page.getByLabel('Recording', { exact: true });
    await expect(player).toBeVisible();
    await use({ session, path, player });
  },
});

test('the player knows the exact length before anything is played', async ({ recorded }) => {
  const { session, path, player } = recorded;
  const duration = await lengthOf(player);
  expect(Math.abs(duration - session.duration_ms / 1000)).toBeLessThan(LENGTH_TOLERANCE_S);
  const [sounds, pictures] = await Promise.all([
    probeFrames(path, 'a:0'),
    probeFrames(path, 'v:0'),
  ]);
  const lastSound = sounds.at(-1)!;
  const soundEnd = Number(lastSound.pts_time) + (lastSound.nb_samples ?? 0) / OPUS_HZ;
  // A picture is there from its time on; how long the last one stays, nobody says.
  const end = Math.max(soundEnd, Number(pictures.at(-1)!.pts_time));
  expect(Math.abs(duration - end)).toBeLessThan(LENGTH_TOLERANCE_S);
});

test('seeking lands where it was asked to, and shows the picture of that moment', async ({
  recorded,
}) => {
  const { session, path, player } = recorded;
  const duration = await lengthOf(player);
  const seam = session.tracks[0]!.segments[0]!.duration_ms / 1000;
  const { numbers } = await accountForFrames(path, FILM_FRAMES);
  const times = (await probeFrames(path, 'v:0')).map(({ pts_time }) => Number(pts_time));
  expect(times).toHaveLength(numbers.length);
  const { streams } = await probe(path);
  const { width, height } = streams.find(({ codec_type }) => codec_type === 'video')!;

  // Forwards and backwards, to both sides of the reload, and to the very ends.
  for (const target of [seam + 0.5, 1.3, duration - 0.5, seam - 0.3, seam + 0.2, 0, duration / 2]) {
    const seeked = await seek(player, target);
    expect(Math.abs(seeked.at - target)).toBeLessThan(SEEK_TOLERANCE_S);
    expect([seeked.width, seeked.height]).toEqual([width, height]);
    // A picture stays until the next one comes; before the first one, that one is shown.
    const shown = Math.max(0, times.findLastIndex((time) => time <= target));
    const near = numbers.filter(
      (_, i) => i === shown || Math.abs((times[i] ?? Infinity) - target) <= SEEK_TOLERANCE_S,
    );
    await expect(async () => {
      expect(near, `the picture at ${target} s`).toContain(await readShownFrame(player));
    }).toPass({ timeout: 2_000 });
  }
});

test('it plays across the reload and to its end, with sound and without an error', async ({
  recorded,
}) => {
  const { session, player } = recorded;
  const duration = await lengthOf(player);
  const seam = session.tracks[0]!.segments[0]!.duration_ms / 1000;
  await seek(player, seam - 1);
  const before = await readShownFrame(player);
  await player.evaluate((media: HTMLMediaElement) => media.play());
  await expect.poll(() => placeOf(player)).toBeGreaterThan(seam + 1);
  expect(await readShownFrame(player), 'the picture moves').not.toBe(before);

  await seek(player, duration - 1);
  await expect
    .poll(() => player.evaluate((media: HTMLMediaElement) => media.ended))
    .toBe(true);
  expect(Math.abs((await placeOf(player)) - duration)).toBeLessThan(SEEK_TOLERANCE_S);
  const told = await player.evaluate((media: HTMLMediaElement) => ({
    error: media.error?.message,
    soundBytes: (media as unknown as { webkitAudioDecodedByteCount: number })
      .webkitAudioDecodedByteCount,
  }));
  expect(told.error).toBeUndefined();
  expect(told.soundBytes, 'sound was decoded').toBeGreaterThan(0);
});

test('pictures along the recording are there, differ, and lead to their places', async ({
  recorded,
}) => {
  const { player, session } = recorded;
  const page = player.page();
  const pictures = page.getByRole('group', { name: 'Pictures along the recording' });
  const buttons = pictures.getByRole('button');
  await expect(buttons).toHaveCount(12);
  // The film counts in bars: no two of its pictures are alike.
  const drawn = await pictures
    .locator('canvas')
    .evaluateAll((all) => all.map((one) => (one as HTMLCanvasElement).toDataURL()));
  expect(new Set(drawn).size).toBe(drawn.length);
  await buttons.nth(6).click();
  const wanted = (6.5 / 12) * (session.duration_ms / 1000);
  await expect
    .poll(() => player.evaluate((video: HTMLVideoElement) => video.currentTime))
    .toBeCloseTo(wanted, 1);
});
