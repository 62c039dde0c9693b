/** What cannot be delivered can be saved from the page, in a form that plays; it stays where it is. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from '@playwright/test';
import { getWholeSession } from '../lib/api.ts';
import { probe } from '../lib/ffmpeg.ts';
import type { RecordPage } from '../lib/record-page.ts';
import { openWithoutServer } from '../lib/service-worker.ts';
import { readSpool } from '../lib/spool.ts';
import { expect, test } from '../lib/test.ts';
import { readZip } from '../lib/zip.ts';

const EBML = Buffer.from([0x1a, 0x45, 0xdf, 0xa3]);
/** What stands before the bytes of a chunk in its frame at most, and behind them. */
const HEAD_BYTES_MAX = 16;
const DIGEST_BYTES = 32;
const PART_MS = 3_000;
/** What one may record less than the time between a click and the next. */
const TOLERANCE_MS = 1_000;

function saveButton(page: Page): ReturnType<Page['getByRole']> {
  return page.getByRole('button', { name: 'Save what is here' });
}

async function stopWithoutServer(recordPage: RecordPage): Promise<void> {
  await recordPage.stopButton.click();
  await recordPage.expectState('finishing');
  // For the last words it runs on for a moment.
  await delay(1_000);
}

async function save(page: Page): Promise<{ name: string; path: string; bytes: Buffer }> {
  const downloading = page.waitForEvent('download');
  await saveButton(page).click();
  const download = await downloading;
  const path = await download.path();
  return { name: download.suggestedFilename(), path, bytes: await readFile(path) };
}

/** Every item that lies in the browser, as the frame in which it would be sent. */
async function spooledFrames(page: Page): Promise<Buffer[]> {
  const { items } = await readSpool(page);
  return items.map(([, { frame }]) => Buffer.from((frame as { bytes: string }).bytes, 'base64'));
}

/** Whether these are the bytes that the frames hold, in their order, from the first to the last. */
function expectBytesOf(frames: Buffer[], file: Buffer): void {
  expect(file.subarray(0, EBML.length)).toEqual(EBML);
  let at = 0;
  for (const frame of frames) {
    const item = frame.subarray(0, frame.length - DIGEST_BYTES);
    // Where its bytes begin is known by what they are; a marker has none.
    for (let head = 1; head <= HEAD_BYTES_MAX && head < item.length; head++) {
      const bytes = item.subarray(head);
      if (bytes.equals(file.subarray(at, at + bytes.length))) {
        at += bytes.length;
        break;
      }
    }
  }
  expect(at, 'all of the file is in the frames').toBe(file.length);
}

test('a recording that waits for its server is saved as a file that plays', async ({
  request,
  recordPage,
  server,
}) => {
  const { page } = recordPage;
  await openWithoutServer(recordPage, server);
  await expect(saveButton(page)).toBeHidden();
  await recordPage.start();
  const id = await recordPage.sessionId();
  await delay(PART_MS);
  await expect(saveButton(page)).toBeHidden();
  await stopWithoutServer(recordPage);
  await expect(saveButton(page)).toBeVisible();
  const kept = await readSpool(page);

  const saved = await save(page);
  expect(saved.name).toBe(`holdfast-${id.slice(-12)}-track-1-part-1.webm`);
  expectBytesOf(await spooledFrames(page), saved.bytes);
  const { format, streams } = await probe(saved.path);
  expect(format.format_name).toContain('webm');
  expect(streams.map(({ codec_name }) => codec_name)).toEqual(['opus']);

  // Nothing is gone by that, and all of it still arrives.
  expect((await readSpool(page)).items).toEqual(kept.items);
  await server.start();
  expect(await recordPage.expectDone(30_000)).toBe(id);
  await expect(saveButton(page)).toBeHidden();
  const session = await getWholeSession(request, id);
  expect(session.duration_ms).toBeGreaterThan(PART_MS - TOLERANCE_MS);
});

test('of several runs one archive is saved, with a file of each', async ({ recordPage, server }) => {
  const { page } = recordPage;
  page.on('dialog', (dialog) => void dialog.accept());
  await openWithoutServer(recordPage, server);
  await recordPage.start();
  await delay(PART_MS);
  await page.reload();
  await recordPage.resumeRecording();
  await delay(PART_MS);
  await stopWithoutServer(recordPage);

  const saved = await save(page);
  expect(saved.name).toBe('holdfast-kept.zip');
  const files = readZip(saved.bytes);
  expect([...files.keys()].map((name) => name.replace(/^holdfast-[0-9a-f]{12}-/, ''))).toEqual([
    'track-1-part-1.webm',
    'track-1-part-2.webm',
  ]);
  const frames = await spooledFrames(page);
  for (const file of files.values()) {
    const first = frames.findIndex((frame) => frame.includes(file.subarray(0, 64)));
    expectBytesOf(frames.slice(first), file);
  }
});

test('an earlier recording that the server does not take can be saved', async ({
  page,
  recordPage,
  server,
}) => {
  await openWithoutServer(recordPage, server);
  await recordPage.start();
  await delay(PART_MS);
  await stopWithoutServer(recordPage);
  await page.reload();
  await recordPage.expectState('idle');
  await recordPage.expectLink('reconnecting');
  await expect(saveButton(page)).toBeVisible();
  const { bytes } = await save(page);
  expect(bytes.subarray(0, EBML.length)).toEqual(EBML);
});
