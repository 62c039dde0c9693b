/** Recordings that are not what they should be, and the words for it on every page that shows them. */
import { setTimeout as delay } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { getSession } from '../lib/api.ts';
import { ffmpeg } from '../lib/ffmpeg.ts';
import { replaceRecordings } from '../lib/foreign-recorder.ts';
import { lookAt } from '../lib/look.ts';
import { expect, test } from '../lib/test.ts';

const PART_MS = 2_000;

async function lookEverywhere(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await lookAt(page, `${name}-${colorScheme}-${width}`);
    }
  }
}

test('a part that is in no file is told to the candidate, to the reviewer and in the list', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await recordPage.start();
  await delay(PART_MS);
  const noise = testInfo.outputPath('noise');
  await writeFile(noise, 'This is no recording. '.repeat(200));
  await replaceRecordings(page, noise, 'audio/webm;codecs=opus');
  await page.reload();
  await recordPage.resumeRecording();
  await delay(PART_MS);
  const id = await recordPage.stopAndSave();
  await expect(recordPage.recorder).toContainText('Saved, with gaps');
  await expect(recordPage.recorder).toContainText('1 part could not be put into the file');
  await expect(recordPage.recorder).not.toContainText('All of it is safe');
  await lookEverywhere(page, 'record-left-out');
  expect((await getSession(request, id)).left_out_segments).toBe(1);

  await page.goto(`/sessions/${id}`);
  await expect(page.getByText('1 part could not be put into the file')).toBeVisible();
  await expect(page.getByText('Nothing is missing')).toBeHidden();
  await lookEverywhere(page, 'session-left-out');
  await page.goto('/');
  await expect(page.getByRole('cell', { name: '1 part' })).toBeVisible();
});

test('a recording of nothing but silence says so', async ({ page, request, recordPage }, testInfo) => {
  const silence = testInfo.outputPath('silence.webm');
  const input = ['-f', 'lavfi', '-i', 'anullsrc=r=48000:cl=mono', '-t', '3'];
  await ffmpeg(['-y', ...input, '-c:a', 'libopus', '-live', '1', silence]);
  await replaceRecordings(page, silence, 'audio/webm;codecs=opus');
  await recordPage.open();
  await recordPage.start();
  await delay(PART_MS);
  const id = await recordPage.stopAndSave();
  const silent = async (): Promise<boolean | null> => (await getSession(request, id)).silent;
  await expect.poll(silent).toBe(true);
  await page.goto(`/sessions/${id}`);
  await expect(page.getByText('Nothing but silence was recorded.')).toBeVisible();
  await lookEverywhere(page, 'session-silent');
  await page.goto('/');
  await expect(page.getByText('Silent', { exact: true })).toBeVisible();
  await lookEverywhere(page, 'history-silent');
});

test('a recording with sound is not called silent', async ({ page, request, recordPage }) => {
  await recordPage.open();
  await recordPage.start();
  await delay(PART_MS);
  const id = await recordPage.stopAndSave();
  const silent = async (): Promise<boolean | null> => (await getSession(request, id)).silent;
  await expect.poll(silent).toBe(false);
  await page.goto(`/sessions/${id}`);
  await expect(page.getByText(/silence/)).toBeHidden();
});
