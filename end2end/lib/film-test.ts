/** What a test with a camera starts from: the tones, and a film whose every frame has a number. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LaunchOptions } from '@playwright/test';
import { FRAMES_PER_SECOND, writeFrames } from './frames.ts';
import type { RecordPage } from './record-page.ts';
import { test as base } from './test.ts';

export { expect } from './test.ts';

/** Longer than any of these tests records; then the camera goes round. */
export const FILM_FRAMES = 20 * FRAMES_PER_SECOND;

const OUTPUT = resolve(import.meta.dirname, '../output');

/** Sound and camera, so long before a reload and again after it. Tells the session's id. */
export async function recordCameraWithReload(
  recordPage: RecordPage,
  partMs: number,
): Promise<string> {
  const { page } = recordPage;
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await page.getByRole('radio', { name: 'Sound and camera' }).check();
  await recordPage.start();
  await delay(partMs);
  await page.reload();
  await recordPage.resumeRecording();
  await delay(partMs);
  return recordPage.stopAndSave();
}

export const test = base.extend<object, { launchOptions: LaunchOptions }>({
  launchOptions: [
    async ({ launchOptions }, use, workerInfo) => {
      const film = join(OUTPUT, `film-${workerInfo.parallelIndex}.y4m`);
      await writeFrames(film, FILM_FRAMES);
      const args = [...(launchOptions.args ?? []), `--use-file-for-fake-video-capture=${film}`];
      await use({ ...launchOptions, args });
      await rm(film, { force: true });
    },
    { scope: 'worker', timeout: 60_000 },
  ],
});
