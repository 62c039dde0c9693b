/** What a test with a camera starts from: the tones, and a film whose every frame has a number. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { LaunchOptions } from '@playwright/test';
import { FRAMES_PER_SECOND, writeFrames } from './frames.ts';
import { test as base } from './test.ts';

export { expect } from './test.ts';

/** Longer than any of these tests records; then the camera goes round. */
export const FILM_FRAMES = 20 * FRAMES_PER_SECOND;

const OUTPUT = resolve(import.meta.dirname, '../output');

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
