/** From the first click to the downloaded file: every 100 ms that was recorded is there, once. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { APIRequestContext, Locator, Page } from '@playwright/test';
import { fetchRecording, getSession, getWholeSession, sha256 } from '../lib/api.ts';
import { placeOf, seek } from '../lib/player.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

/** How much of the beginning and end may fall before "recording" shows and after the click. */
const EDGES_MS_MAX = 1_000;
const STOP_TO_PLAYABLE_MS_MAX = 5_000;

test('records, pauses, saves, plays, seeks and downloads with every 100 ms accounted for', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  const startedAt = Date.now();
  await delay(5_000);
  await recordPage.pauseButton.click();
  const pausedAt = Date.now();
  await recordPage.expectState('paused');
  await delay(2_000);
  await recordPage.resumeButton.click();
  const resumedAt = Date.now();
  await recordPage.expectState('recording');
  await delay(7_000);

  const stoppedAt = Date.now();
  const id = await recordPage.stopAndSave();
  await expectPlayable(request, id);
  const playableMs = Date.now() - stoppedAt;
  console.log(`    stop to playable: ${playableMs} ms`);
  expect(playableMs).toBeLessThan(STOP_TO_PLAYABLE_MS_MAX);
  const pausedMs = resumedAt - pausedAt;
  const activeMs = stoppedAt - startedAt - pausedMs;

  const session = await getWholeSession(request, id);
  const { bytes, pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm, { expectedPauses: [pausedMs], pauseToleranceMs: 400 });
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.unexpected, describeAccount(account)).toEqual([]);
  expect(account.jumps, describeAccount(account)).toHaveLength(1);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.repeatedMs, describeAccount(account)).toBe(0);

  const heardMs = account.lastEdgeMs - account.firstEdgeMs;
  const fileMs = (pcm.samples.length / pcm.sampleRate) * 1000;
  expect(heardMs).toBeGreaterThan(activeMs - EDGES_MS_MAX);
  expect(Math.abs(session.duration_ms - fileMs)).toBeLessThan(150);
  expect(Math.abs(session.receipt.duration_ms - fileMs)).toBeLessThan(150);

  await test.step('the history leads to it', async () => {
    await page.goto('/');
    const newest = page.locator('a[href*="/sessions/"]').first();
    await expect(newest).toHaveAttribute('href', `/sessions/${id}`);
    await expect(page.getByRole('row').filter({ has: newest })).toContainText('Completed');
    await newest.click();
    await expect(page).toHaveURL(`/sessions/${id}`);
    await expect(page.getByRole('main')).toContainText('Completed');
  });

  await test.step('it plays and seeks in the page', async () => {
    const player = page.locator('audio, video').first();
    await expectPlaysAndSeeks(player, fileMs / 1000);
  });

  await test.step('the download is the recording', async () => {
    const downloaded = await download(page);
    expect(sha256(downloaded)).toBe(session.receipt.digest);
    expect(downloaded.equals(bytes)).toBe(true);
  });
});

/** A byte range out of the middle can be had: what a player asks for when it seeks. */
async function expectPlayable(request: APIRequestContext, id: string): Promise<void> {
  const { recording_url: url } = await getSession(request, id);
  expect(url).toBeTruthy();
  const response = await request.get(url as string, { headers: { Range: 'bytes=1000-1999' } });
  expect(response.status()).toBe(206);
  expect(response.headers()['content-range']).toMatch(/^bytes 1000-1999\/\d+$/);
  expect(await response.body()).toHaveLength(1_000);
}

async function expectPlaysAndSeeks(player: Locator, durationS: number): Promise<void> {
  const currentTime = (): Promise<number> => placeOf(player);

  await player.evaluate((media: HTMLMediaElement) => media.play());
  await expect.poll(currentTime).toBeGreaterThan(0.5);
  const shown = await player.evaluate((media: HTMLMediaElement) => media.duration);
  expect(Math.abs(shown - durationS)).toBeLessThan(0.3);

  const targetS = (durationS * 2) / 3;
  await player.evaluate((media: HTMLMediaElement) => media.pause());
  const { at: landedS } = await seek(player, targetS);
  expect(Math.abs(landedS - targetS)).toBeLessThan(0.3);
  await player.evaluate((media: HTMLMediaElement) => media.play());
  await expect.poll(currentTime).toBeGreaterThan(targetS + 0.5);
  expect(await player.evaluate((media: HTMLMediaElement) => media.error?.message)).toBeUndefined();
}

async function download(page: Page): Promise<Buffer> {
  const started = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).first().click();
  const file = await started;
  return readFile(await file.path());
}
