/** A page that goes away in the middle: what was captured is kept, offered, and goes on. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator, Page } from '@playwright/test';
import { fetchRecording, getSession, getWholeSession } from '../lib/api.ts';
import { RecordPage } from '../lib/record-page.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

/** What had not left the recorder when the page went away. */
const TIMESLICE_MS = 250;
/** Besides, a packet may be cut, and the clocks of page and test differ. */
const TOLERANCE_MS = 150;

function unfinished(page: Page): Locator {
  return page.getByRole('region', { name: 'Unfinished recording' });
}

/** Leaves in the middle of a recording and comes back; tells how long was recorded before. */
async function recordAndReload(recordPage: RecordPage, recordMs: number): Promise<string> {
  const { page } = recordPage;
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await expect(unfinished(page)).toBeHidden();
  await recordPage.start();
  await delay(recordMs);
  const id = await recordPage.sessionId();
  await page.reload();
  await expect(unfinished(page)).toBeVisible();
  await expect(unfinished(page)).toContainText(/From .+: 0:0\d recorded/);
  return id;
}

test('a reload in the middle is offered to go on, and both parts end in one file', async ({
  request,
  recordPage,
}, testInfo) => {
  const id = await recordAndReload(recordPage, 4_000);
  const { page } = recordPage;
  await expect(unfinished(page)).toContainText('all of it is safe on the server');
  await page.getByRole('button', { name: 'Resume recording' }).click();
  await recordPage.expectState('recording');
  await expect(unfinished(page)).toBeHidden();
  await delay(4_000);
  expect(await recordPage.stopAndSave()).toBe(id);

  const session = await getWholeSession(request, id);
  const [first, second, ...others] = session.tracks[0]!.segments;
  expect(others).toEqual([]);
  expect(first!.duration_ms).toBeGreaterThan(4_000 - TIMESLICE_MS - TOLERANCE_MS);
  expect(second!.duration_ms).toBeGreaterThan(4_000 - TOLERANCE_MS);
  // The time without a page is a gap on the timeline.
  expect(second!.started_at_ms).toBeGreaterThan(first!.started_at_ms + first!.duration_ms);

  // The fake microphone starts over with the second part: the only place where the tones jump.
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm, { expectedRestarts: 1 });
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.unexpected, describeAccount(account)).toEqual([]);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.jumps, describeAccount(account)).toHaveLength(1);
  expect(Math.abs(account.jumps[0]!.fileMs - first!.duration_ms)).toBeLessThan(TOLERANCE_MS);
});

test('a reload in the middle can be saved as it is', async ({ request, recordPage }, testInfo) => {
  const id = await recordAndReload(recordPage, 3_000);
  await recordPage.page.getByRole('button', { name: 'Finish and save' }).click();
  expect(await recordPage.expectDone()).toBe(id);
  const session = await getWholeSession(request, id);
  expect(session.duration_ms).toBeGreaterThan(3_000 - TIMESLICE_MS - TOLERANCE_MS);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.jumps, describeAccount(account)).toEqual([]);
});

test('what was recorded while the server was away is sent after a reload, without a click', async ({
  request,
  recordPage,
  server,
}) => {
  const { page } = recordPage;
  page.on('dialog', (dialog) => void dialog.accept());
  // A page cannot be loaded without its server, so a second tab of the same browser is ready.
  await recordPage.open();
  const other = new RecordPage(await page.context().newPage());
  await other.open();
  await other.start();
  await delay(1_500);
  await server.kill();
  await other.expectLink('reconnecting');
  await delay(2_000);
  const id = await other.sessionId();
  const kept = await other.pending();
  expect(kept).toBeGreaterThan(4);
  await other.page.close();
  await server.start();

  await page.reload();
  await expect(unfinished(page)).toBeVisible();
  await expect(unfinished(page)).toContainText('all of it is safe on the server');
  const session = await getSession(request, id);
  expect(session.missing).toEqual([]);
  expect(session.items).toBeGreaterThan(kept);
});
