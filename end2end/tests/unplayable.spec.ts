/** A recording that this browser cannot play: said in words, with a form that it can. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator, Page } from '@playwright/test';
import { probe } from '../lib/ffmpeg.ts';
import { replaceRecordings, writeHevc } from '../lib/foreign-recorder.ts';
import { lookAt } from '../lib/look.ts';
import type { RecordPage } from '../lib/record-page.ts';
import { expect, test } from '../lib/test.ts';

const LOOKS = [
  ['light', 390],
  ['light', 1280],
  ['dark', 390],
  ['dark', 1280],
] as const;

/** Records, and gives the address of the session's page. */
async function record(recordPage: RecordPage): Promise<string> {
  await recordPage.open();
  await recordPage.choose('Sound and camera');
  await recordPage.start();
  await delay(1_500);
  return `/sessions/${await recordPage.stopAndSave()}`;
}

const playerOf = (page: Page): Locator => page.getByLabel('Recording', { exact: true });

test('a file that this browser cannot play says so, and one that it can is offered', async ({
  page,
  recordPage,
}, testInfo) => {
  const file = testInfo.outputPath('hevc.mp4');
  await writeHevc(file, false);
  await replaceRecordings(page, file, 'video/mp4;codecs=hvc1.1.6.L93.B0');
  await page.goto(await record(recordPage));
  await expect(page.getByText('This browser cannot play this recording.')).toBeVisible();
  await expect(page.getByText('It is MP4 with H.265 pictures.').first()).toBeVisible();
  await expect(page.getByText('may not be able to play')).toBeHidden();
  await expect(playerOf(page), 'no black box').toBeHidden();
  for (const [colorScheme, width] of LOOKS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    await lookAt(page, `unplayable-${colorScheme}-${width}`);
  }
  await expect(page.getByRole('link', { name: 'Download it as it is' })).toBeVisible();

  const coming = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Get a copy that plays (MP4)' }).click();
  const saved = testInfo.outputPath('saved.mp4');
  await (await coming).saveAs(saved);
  expect((await probe(saved)).streams.map(({ codec_name }) => codec_name)).toEqual(['h264']);
});

test('where only its sound can be played, that is said, and it plays', async ({
  page,
  recordPage,
}, testInfo) => {
  const file = testInfo.outputPath('hevc.mp4');
  await writeHevc(file, true);
  await replaceRecordings(page, file, 'video/mp4;codecs=hvc1.1.6.L93.B0,mp4a.40.2');
  await page.goto(await record(recordPage));
  await expect(page.getByText('This browser cannot show the pictures')).toBeVisible();
  await expect(page.getByText('It is MP4 with H.265 pictures and AAC sound.').last()).toBeHidden();
  await expect(playerOf(page)).toBeVisible();
  await expect(page.getByRole('link', { name: 'Get a copy that plays (MP4)' })).toBeVisible();
});

test('what plays is not warned of', async ({ page, recordPage, complaints }) => {
  await page.goto(await record(recordPage));
  await expect
    .poll(() => playerOf(page).evaluate((player: HTMLVideoElement) => player.videoWidth))
    .toBeGreaterThan(0);
  await expect(page.locator('.unplayable')).toBeHidden();
  expect(complaints).toEqual([]);
});

test('without scripts the page says what the recording is', async ({ browser, page, recordPage, server }) => {
  const address = await record(recordPage);
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: server.baseURL });
  const plain = await context.newPage();
  await plain.goto(address);
  await expect(
    plain.getByText('WebM with VP8 pictures and Opus sound. If it does not play here, download it'),
  ).toBeVisible();
  await expect(plain.locator('.unplayable')).toBeHidden();
  await context.close();
  await page.close();
});
