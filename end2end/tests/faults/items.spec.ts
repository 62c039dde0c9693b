/** Rows of the fault table: single items that arrive wrongly, or are too large. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, stopAndMeasure, test } from '../../lib/fault-test.ts';
import { makeFirstChunkGiant } from '../../lib/giant-chunk.ts';
import { flipBytes, repeatAndReorder } from '../../lib/item-faults.ts';
import { FULL, recordLoss } from '../../lib/loss-report.ts';

const RECORD_MS = FULL ? 60_000 : 6_000;
const GIANT_BYTES = 50_000_000;
const ITEM_PAYLOAD_BYTES_MAX = 512 * 1024;

test.describe.configure({ timeout: 180_000 });

test('items that arrive three times and out of order are stored once', async ({
  page,
  recordPage,
  api,
}, testInfo) => {
  const counts = await repeatAndReorder(page);
  await recordPage.open();
  await recordPage.start();
  await delay(RECORD_MS);
  const { session, loss } = await stopAndMeasure(recordPage, api, testInfo);
  expect(counts.tampered).toBeGreaterThan(RECORD_MS / 500);
  const notes = `${counts.tampered} frames sent three times; ${session.items} items stored`;
  await recordLoss(testInfo, 'thrice-unordered', loss, notes);
});

test('an item with a flipped byte is refused and sent again', async ({
  page,
  recordPage,
  api,
}, testInfo) => {
  const counts = await flipBytes(page, 5);
  await recordPage.open();
  await recordPage.start();
  await delay(RECORD_MS);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  expect(counts.tampered).toBeGreaterThan(2);
  expect(counts.refusals).toBe(counts.tampered);
  const notes = `${counts.tampered} of ${counts.frames} frames damaged, all of them refused`;
  await recordLoss(testInfo, 'flipped-byte', loss, notes);
});

test('a chunk of 50 MB is split and costs nothing', async ({ page, recordPage, api }, testInfo) => {
  await makeFirstChunkGiant(page, { blobs: 8, voidBytes: GIANT_BYTES });
  await recordPage.open();
  await recordPage.start();
  await page.waitForFunction(() => window.giantChunkBytes);
  await delay(3_000);
  const { session, loss } = await stopAndMeasure(recordPage, api, testInfo);
  const bytes = (await page.evaluate(() => window.giantChunkBytes)) ?? 0;
  expect(bytes).toBeGreaterThan(GIANT_BYTES);
  expect(session.items).toBeGreaterThan(bytes / ITEM_PAYLOAD_BYTES_MAX);
  // The filling is not part of the recording.
  expect(session.bytes).toBeLessThan(1_000_000);
  const notes = `one chunk of ${(bytes / 1e6).toFixed(1)} MB; ${session.items} items stored`;
  await recordLoss(testInfo, 'giant-chunk', loss, notes);
});
