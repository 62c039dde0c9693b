/** The sound of a recording as a picture: it is that sound, and one can seek and zoom in it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator } from '@playwright/test';
import { getEvents, getWholeSession, saveRecording, type CompletedSession } from '../lib/api.ts';
import { decodeInTime } from '../lib/audio.ts';
import { installMicrophoneFaults } from '../lib/faulty-microphone.ts';
import { lookAt } from '../lib/look.ts';
import { lengthOf, placeOf, seek } from '../lib/player.ts';
import { accountForTones, describeAccount, type Pcm } from '../lib/tones.ts';
import { expect, test as base } from '../lib/test.ts';
import { linesOf, readPeaks, WaveformView, type Picture } from '../lib/waveform.ts';

const TONES_MS = 3_000;
const PAUSE_MS = 1_500;
/** Shorter than the silence of which the page warns. */
const SILENCE_MS = 2_000;
/** What is heard a little earlier or later than it is drawn, for a packet's or a pixel's sake. */
const BLUR_MS = 80;
/** The code's tones reach 0.5; sound is drawn so high at least, as a share of the picture. */
const LOUD_MIN = 0.3;
const LOUD_SHARE_MIN = 0.2;
const SILENT_MAX = 0.01;
const SILENT_PIXELS_MAX = 2;

interface Recorded {
  session: CompletedSession;
  /** The sound of the file. */
  pcm: Pcm;
  player: Locator;
  waveform: WaveformView;
  /** Of the recording, in seconds. */
  length: number;
}

/** Tones, a pause, tones, silence, tones; and the session's page with the drawn waveform. */
const test = base.extend<{ recorded: Recorded }>({
  recorded: async ({ page, request, recordPage }, use, testInfo) => {
    await installMicrophoneFaults(page);
    const sound = (isOn: boolean): Promise<void> =>
      page.evaluate((enabled) => {
        (window.tracks.at(-1) as MediaStreamTrack).enabled = enabled;
      }, isOn);
    await recordPage.open();
    await recordPage.start();
    await delay(TONES_MS);
    await recordPage.pause();
    await delay(PAUSE_MS);
    await recordPage.resume();
    await delay(1_000);
    await sound(false);
    await delay(SILENCE_MS);
    await sound(true);
    await delay(TONES_MS);
    const session = await getWholeSession(request, await recordPage.stopAndSave());
    const path = await saveRecording(request, session, testInfo);
    // Where a busy browser has left a hole between two packets, a hole is drawn.
    const pcm = await decodeInTime(path);
    await page.goto(`/sessions/${session.id}`);
    const waveform = new WaveformView(page);
    await expect(waveform.slider).toBeVisible();
    const player = page.locator('audio');
    await use({ session, pcm, player, waveform, length: await lengthOf(player) });
  },
});

/** The loudest sample of a stretch of sound. */
function loudest({ samples, sampleRate }: Pcm, fromS: number, toS: number): number {
  const stretch = samples.subarray(
    Math.max(0, Math.floor(fromS * sampleRate)),
    Math.max(0, Math.ceil(toS * sampleRate)),
  );
  return stretch.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}

/** The columns that are loud, or silent, whichever way one looks at the edges. */
function columnsOf(
  pcm: Pcm,
  { columns }: Picture,
  length: number,
): { loud: number[]; silent: number[] } {
  const seconds = length / columns.length;
  const blur = BLUR_MS / 1000;
  const [loud, silent]: [number[], number[]] = [[], []];
  columns.forEach(({ isLine }, x) => {
    const [from, to] = [x * seconds, (x + 1) * seconds];
    if (isLine) {
      return;
    }
    if (loudest(pcm, from - blur, to + blur) < SILENT_MAX) {
      silent.push(x);
    }
    const parts = [[from - blur, from], [from, to], [to, to + blur]] as const;
    if (parts.every(([start, end]) => loudest(pcm, start, end) > LOUD_MIN)) {
      loud.push(x);
    }
  });
  return { loud, silent };
}

const silentCount = ({ columns }: Picture): number =>
  columns.filter(({ height, isLine }) => !isLine && height <= SILENT_PIXELS_MAX).length;

test('loud places are drawn tall, and silent ones as a line, where the file has them', async ({
  page,
  recorded,
}) => {
  const { pcm, waveform, length } = recorded;
  // It is drawn as soon as its peaks are there.
  await expect(async () => {
    const picture = await waveform.picture();
    const { loud, silent } = columnsOf(pcm, picture, length);
    const perSecond = picture.columns.length / length;
    expect(loud.length).toBeGreaterThan(perSecond * ((2 * TONES_MS) / 1000 - 1));
    expect(silent.length).toBeGreaterThan(perSecond * (SILENCE_MS / 1000 - 0.5));
    const heights = (of: number[]): number[] => of.map((x) => picture.columns[x]!.height);
    expect(Math.min(...heights(loud))).toBeGreaterThan(LOUD_SHARE_MIN * picture.height);
    expect(Math.max(...heights(silent))).toBeLessThanOrEqual(SILENT_PIXELS_MAX);
  }).toPass({ timeout: 10_000 });

  for (const [width, height] of [[390, 844], [1280, 800]] as const) {
    await page.setViewportSize({ width, height });
    await expect
      .poll(async () => (await waveform.picture()).columns.length)
      .toBe(await waveform.slider.evaluate((slider) => slider.clientWidth));
    await lookAt(page, `waveform-${width}`);
  }
});

test('the picture follows the player, and the player follows the picture', async ({
  page,
  recorded,
}) => {
  const { session, player, waveform, length } = recorded;
  const { slider } = waveform;
  const ink = await waveform.colour('--ink');
  const playedAt = async (): Promise<number> => {
    const picture = await waveform.picture();
    return ((linesOf(picture, ink)[0] ?? NaN) / picture.columns.length) * length;
  };

  await test.step('it shows where the player is', async () => {
    await expect(slider).toHaveAttribute('aria-valuemin', '0');
    const whole = Math.ceil(session.duration_ms / 1000);
    await expect(slider).toHaveAttribute('aria-valuemax', String(whole));
    await seek(player, 4.25);
    await expect(slider).toHaveAttribute('aria-valuenow', '4');
    await expect(slider).toHaveAttribute('aria-valuetext', /^0:04 of 0:\d\d$/);
    await expect.poll(playedAt).toBeCloseTo(4.25, 1);
    const [before, after] = [await waveform.colour('--accent'), await waveform.colour('--edge')];
    const { columns } = await waveform.picture();
    const colourAt = (seconds: number): string =>
      columns[Math.round((seconds / length) * columns.length)]!.colour;
    expect(before).not.toBe(after);
    expect(colourAt(1.5)).toBe(before);
    expect(colourAt(length - 1.5)).toBe(after);
  });

  await test.step('it moves while the player plays', async () => {
    await player.evaluate((media: HTMLMediaElement) => media.play());
    await expect.poll(playedAt).toBeGreaterThan(4.75);
    await expect(slider).toHaveAttribute('aria-valuenow', /^[5-9]$/);
    await player.evaluate((media: HTMLMediaElement) => media.pause());
  });

  await test.step('a click seeks', async () => {
    for (const share of [0.5, 0.25]) {
      const box = (await slider.boundingBox())!;
      await slider.click({ position: { x: box.width * share, y: box.height / 2 } });
      await expect
        .poll(async () => Math.abs((await placeOf(player)) / length - share))
        .toBeLessThan(0.02);
    }
    await expect.poll(playedAt).toBeCloseTo(length / 4, 1);
  });

  await test.step('a drag seeks along', async () => {
    const box = (await slider.boundingBox())!;
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.2, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, y, { steps: 5 });
    await page.mouse.up();
    await expect
      .poll(async () => Math.abs((await placeOf(player)) / length - 0.6))
      .toBeLessThan(0.02);
  });

  await test.step('keys seek', async () => {
    await slider.focus();
    for (const [key, seconds] of [
      ['Home', 0],
      ['ArrowRight', 5],
      ['ArrowLeft', 0],
      ['End', length],
      ['ArrowLeft', length - 5],
      ['PageDown', 0],
      ['PageUp', length],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(() => placeOf(player), `after ${key}`).toBeCloseTo(seconds, 1);
    }
  });
});

test('zooming in shows less, and larger, around what is played; all can be shown again', async ({
  recorded,
}) => {
  const { pcm, player, waveform, length } = recorded;
  const { slider } = waveform;
  const { silent } = columnsOf(pcm, await waveform.picture(), length);
  const { columns } = await waveform.picture();
  const silenceBegins = (silent[0]! / columns.length) * length;
  await seek(player, silenceBegins);
  const ink = await waveform.colour('--ink');
  const lineAt = async (): Promise<number> => linesOf(await waveform.picture(), ink)[0] ?? -1;
  await expect.poll(lineAt).toBeGreaterThan(0);
  const all = await waveform.picture();
  const line = await lineAt();

  await waveform.button('Zoom in').click();
  await expect.poll(async () => silentCount(await waveform.picture())).not.toBe(silentCount(all));
  const half = await waveform.picture();
  expect(silentCount(half) / silentCount(all)).toBeCloseTo(2, 0);
  expect(Math.abs((await lineAt()) - line), 'what is played stays in its place').toBeLessThan(3);

  const box = (await slider.boundingBox())!;
  await slider.click({ position: { x: box.width / 2, y: box.height / 2 } });
  const middle = silenceBegins / 2 + length / 4;
  await expect.poll(() => placeOf(player), 'a click means what is shown').toBeCloseTo(middle, 1);

  await seek(player, silenceBegins);
  await waveform.button('Zoom out').click();
  await expect.poll(() => waveform.picture()).toEqual(all);
  await waveform.button('Zoom in').click();
  await waveform.button('Zoom in').click();
  await expect.poll(() => waveform.picture()).not.toEqual(all);
  await waveform.button('Show all').click();
  await expect.poll(() => waveform.picture()).toEqual(all);
});

test('a pause is a mark in the picture, and listed with a button that seeks there', async ({
  request,
  recorded,
}) => {
  const { session, pcm, player, waveform, length } = recorded;
  const events = await getEvents(request, session.id);
  const timeOf = (kind: string): number =>
    events.find((event) => event.kind === kind)?.timeline_ms ?? NaN;
  const pausedMs = timeOf('pause_over') - timeOf('paused');
  const account = accountForTones(pcm, { expectedPauses: [pausedMs], pauseToleranceMs: 400 });
  const jump = account.jumps.find(({ expected }) => expected);
  expect(jump, describeAccount(account)).toBeDefined();
  const pausedAt = jump!.fileMs / 1000;

  await expect(waveform.marks.locator('summary')).toHaveText('1 interruption');
  await waveform.marks.locator('summary').click();
  const mark = waveform.marks.getByRole('listitem');
  await expect(mark).toHaveCount(1);
  await expect(mark).toContainText(/paused for 1\.[4-9] s/);
  await mark.getByRole('button').click();
  // An edge of the code is up to 100 ms from the cut, and the recorder cuts in packets of 60 ms.
  await expect.poll(async () => Math.abs((await placeOf(player)) - pausedAt)).toBeLessThan(0.2);
  const markedAt = await placeOf(player);

  await seek(player, 0);
  const warn = await waveform.colour('--warn');
  await expect.poll(async () => linesOf(await waveform.picture(), warn)).toHaveLength(1);
  const picture = await waveform.picture();
  const line = (linesOf(picture, warn)[0]! / picture.columns.length) * length;
  expect(line).toBeCloseTo(markedAt, 1);
});

test('the drawing follows the colour scheme', async ({ page, recorded }) => {
  const { waveform, length } = recorded;
  const shown = async (): Promise<{ edge: string; drawn: string }> => {
    const { columns } = await waveform.picture();
    const place = Math.round(((length - 1.5) / length) * columns.length);
    return { edge: await waveform.colour('--edge'), drawn: columns[place]!.colour };
  };
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await shown();
  expect(light.drawn).toBe(light.edge);
  await lookAt(page, 'waveform-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(async () => (await shown()).drawn).not.toBe(light.drawn);
  const dark = await shown();
  expect(dark.drawn).toBe(dark.edge);
  await lookAt(page, 'waveform-dark');
});

test('the server sends the peaks of the whole sound, as fine as asked for, and once', async ({
  request,
  recorded,
}) => {
  const { session, pcm } = recorded;
  const address = `/api/sessions/${session.id}/waveform`;
  const response = await request.get(address);
  expect(response.status()).toBe(200);
  expect(response.headers()['content-type']).toBe('application/octet-stream');
  const peaks = await readPeaks(response);
  expect(peaks).toMatchObject({ magic: 'HFPK', version: 1, bucketMs: 10 });
  expect(peaks.buckets).toHaveLength(peaks.count);
  expect(Math.abs(peaks.count * peaks.bucketMs - session.duration_ms)).toBeLessThanOrEqual(20);

  // What the page draws is what a decoder hears, but for what 8 bits leave out, and for the volume:
  // of two channels ffmpeg makes one by adding them, and the server by taking their mean.
  const drawn = peaks.buckets.map(({ low, high }) => Math.max(-low, high) / 128);
  const heard = drawn.map((_, i) =>
    loudest(pcm, (i * peaks.bucketMs) / 1000, ((i + 1) * peaks.bucketMs) / 1000),
  );
  const volume = Math.max(...heard) / Math.max(...drawn);
  expect(volume).toBeGreaterThan(0.9);
  expect(volume).toBeLessThan(1.6);
  const apart = drawn.map((one, i) => Math.abs(one * volume - heard[i]!));
  const near = apart.filter((difference) => difference < 0.1);
  expect(near.length / apart.length).toBeGreaterThan(0.9);

  const few = await readPeaks(await request.get(`${address}?max=100`));
  expect(few.count).toBeLessThanOrEqual(100);
  expect(few.count).toBeGreaterThan(50);
  const fewMs = few.count * few.bucketMs;
  expect(Math.abs(fewMs - session.duration_ms)).toBeLessThanOrEqual(few.bucketMs);

  const { etag } = response.headers();
  expect(etag).toMatch(/^".+"$/);
  const again = await request.get(address, { headers: { 'If-None-Match': etag! } });
  expect(again.status()).toBe(304);
  expect(await again.body()).toHaveLength(0);
  const other = await request.get(`${address}?max=100`, { headers: { 'If-None-Match': etag! } });
  expect(other.status(), 'other buckets are another answer').toBe(200);
});
