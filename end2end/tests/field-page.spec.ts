/** What browsers in the field do to the page: whatever their recorder hands over arrives, to the byte. */
import { join, resolve } from 'node:path';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { APIRequestContext, LaunchOptions, Page } from '@playwright/test';
import { getWholeSession, type CompletedSession } from '../lib/api.ts';
import { writeWav } from '../lib/audio.ts';
import { countHandedOver, readHandedOver } from '../lib/handed-over.ts';
import { expect, test as base } from '../lib/test.ts';

const OUTPUT = resolve(import.meta.dirname, '../output');
const FULL = "This browser's storage is full or blocked";
/** An item holds no more; a larger chunk becomes several. */
const ITEM_BYTES_MAX = 512 * 1024;
/** At 64 KB a second, longer than an item's worth. */
const ASLEEP_MS = 12_000;
const NOISE_RATE_HZ = 48_000;
const NOISE_S = 30;

const test = base.extend({
  page: async ({ page }, use) => {
    await countHandedOver(page);
    await use(page);
  },
});

/** The session, which must hold every byte that was handed over. */
async function expectEveryByte(
  page: Page,
  request: APIRequestContext,
  id: string,
): Promise<CompletedSession> {
  const session = await getWholeSession(request, id);
  expect(session.left_out_segments).toBe(0);
  const { bytes } = await readHandedOver(page);
  expect(bytes).toBeGreaterThan(10_000);
  expect(session.payload_bytes).toBe(bytes);
  return session;
}

declare global {
  interface Window {
    isStorageBroken: boolean;
    callsFailed: number;
  }
}

/** A database that refuses in the very call, as "Failed to write blobs" comes. */
async function installBreakableStorage(page: Page, errorName: string): Promise<void> {
  await page.addInitScript((name) => {
    window.isStorageBroken = false;
    window.callsFailed = 0;
    for (const method of ['put', 'add'] as const) {
      const real = IDBObjectStore.prototype[method];
      IDBObjectStore.prototype[method] = function (value, key) {
        if (window.isStorageBroken) {
          window.callsFailed += 1;
          throw new DOMException('Failed to write blobs.', name);
        }
        return real.call(this, value, key);
      };
    }
  }, errorName);
}

async function breakStorage(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.isStorageBroken = true;
  });
  await expect(page.getByRole('alert')).toContainText(FULL);
}

test('when the database takes nothing any more, all of it arrives and the page says so', async ({
  page,
  request,
  recordPage,
}) => {
  await installBreakableStorage(page, 'DataError');
  await recordPage.open();
  await recordPage.start();
  await delay(1_500);
  await breakStorage(page);
  await delay(3_000);
  await expectEveryByte(page, request, await recordPage.stopAndSave());
  expect(await page.evaluate(() => window.callsFailed)).toBeGreaterThan(10);
});

test('what only memory holds while the server is away arrives when it is back', async ({
  page,
  request,
  recordPage,
  server,
}) => {
  await installBreakableStorage(page, 'QuotaExceededError');
  await recordPage.open();
  await recordPage.start();
  await delay(1_500);
  await breakStorage(page);
  await server.kill();
  await recordPage.expectLink('reconnecting');
  await delay(2_500);
  await expect(page.getByRole('alert')).toContainText('exists only in this page');
  await server.start();
  await recordPage.expectLink('online');
  await delay(1_000);
  await expectEveryByte(page, request, await recordPage.stopAndSave());
});

test('empty chunks, as Safari makes them while it is paused, change nothing', async ({
  page,
  request,
  recordPage,
}) => {
  await page.addInitScript(() => {
    setInterval(() => {
      for (const recorder of window.recorders.filter(({ state }) => state !== 'inactive')) {
        const data = new Blob([], { type: recorder.mimeType });
        recorder.dispatchEvent(new BlobEvent('dataavailable', { data }));
      }
    }, 100);
  });
  await recordPage.open();
  await recordPage.start();
  await delay(1_500);
  await recordPage.pause();
  await delay(2_000);
  await recordPage.resume();
  await delay(1_500);
  await expectEveryByte(page, request, await recordPage.stopAndSave());
});

test('a chunk that cannot be read at once is read a moment later', async ({
  page,
  request,
  recordPage,
}) => {
  await page.addInitScript(() => {
    let calls = 0;
    const real = Blob.prototype.arrayBuffer;
    Blob.prototype.arrayBuffer = function () {
      calls += 1;
      const fails = calls === 8 || calls === 9 || calls === 14;
      const error = new DOMException('The I/O read operation failed.', 'NotReadableError');
      return fails ? Promise.reject(error) : real.call(this);
    };
  });
  await recordPage.open();
  await recordPage.start();
  await delay(4_000);
  await expectEveryByte(page, request, await recordPage.stopAndSave());
  await expect(recordPage.recorder).toContainText('All of it is safe');
});

test('a chunk that can never be read is told, and nothing is called safe', async ({
  page,
  request,
  recordPage,
}) => {
  await page.addInitScript(() => {
    let calls = 0;
    const lost = new WeakSet<Blob>();
    const real = Blob.prototype.arrayBuffer;
    Blob.prototype.arrayBuffer = function () {
      calls += 1;
      if (calls === 10) {
        lost.add(this);
      }
      const error = new DOMException('The I/O read operation failed.', 'NotReadableError');
      return lost.has(this) ? Promise.reject(error) : real.call(this);
    };
  });
  await recordPage.open();
  await recordPage.start();
  await expect(recordPage.recorder).toContainText('Your browser could not hand over 1 chunk');
  await expect(recordPage.recorder).not.toContainText('all of it safe');
  const id = await recordPage.stopAndSave();
  await expect(recordPage.recorder).toContainText('Saved, with gaps');
  await expect(recordPage.recorder).toContainText('never arrived');
  await expect(recordPage.recorder).not.toContainText('All of it is safe');
  const { missing } = (await (await request.get(`/api/sessions/${id}`)).json()) as CompletedSession;
  expect(missing).toHaveLength(1);
  await page.goto(`/sessions/${id}`);
  await expect(page.getByText('never arrived')).toBeVisible();
  await expect(page.getByText('Nothing is missing')).toBeHidden();
});

/** A microphone whose sound no codec makes small. */
const loud = test.extend<object, { launchOptions: LaunchOptions }>({
  launchOptions: [
    async ({ launchOptions }, use, workerInfo) => {
      const noise = join(OUTPUT, `noise-${workerInfo.parallelIndex}.wav`);
      await writeWav(noise, { sampleRate: NOISE_RATE_HZ, samples: whiteNoise() });
      const others = (launchOptions.args ?? []).filter((one) => !one.includes('fake-audio-capture'));
      const args = [...others, `--use-file-for-fake-audio-capture=${noise}`];
      await use({ ...launchOptions, args });
      await rm(noise, { force: true });
    },
    { scope: 'worker', timeout: 30_000 },
  ],
});

/** The same each time. */
function whiteNoise(): Float32Array {
  let state = 1;
  return Float32Array.from({ length: NOISE_RATE_HZ * NOISE_S }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state / 2 ** 33;
  });
}

loud.describe('with a microphone that cannot be compressed', () => {
  loud.use({ serverFlags: ['--audio-bitrate', '510000'] });

  loud('what was recorded while the page slept comes in one chunk, larger than an item, and is whole', async ({
    page,
    request,
    recordPage,
  }) => {
    await recordPage.open();
    await recordPage.start();
    await delay(1_500);
    // No code of the page runs meanwhile.
    await page.evaluate((asleepMs) => {
      window.areChunksHeldBack = true;
      const end = Date.now() + asleepMs;
      while (Date.now() < end);
    }, ASLEEP_MS);
    await delay(500);
    await page.evaluate(() => {
      window.areChunksHeldBack = false;
    });
    await delay(2_000);
    await expectEveryByte(page, request, await recordPage.stopAndSave());
    const { largestBytes } = await readHandedOver(page);
    expect(largestBytes).toBeGreaterThan(ITEM_BYTES_MAX);
  });
});
