/** A session changes hands or is thrown away: tabs, recovery links, discard. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from '@playwright/test';
import { fetchRecording, getSession, getWholeSession } from '../lib/api.ts';
import { RecordPage } from '../lib/record-page.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

const unfinished = (page: Page) => page.getByRole('region', { name: 'Unfinished recording' });
const elsewhere = (page: Page) => page.getByRole('region', { name: 'Recording in another tab' });

test('a second tab takes over, the first one stops, and both parts end in one file', async ({
  request,
  recordPage: first,
}, testInfo) => {
  await first.open();
  await first.start();
  await delay(3_000);
  const id = await first.sessionId();

  const second = new RecordPage(await first.page.context().newPage());
  await second.open();
  await expect(elsewhere(second.page)).toBeVisible();
  await expect(unfinished(second.page)).toBeHidden();
  await second.page.getByRole('button', { name: 'Take over here' }).click();
  await second.expectState('recording');
  await first.expectState('error');
  await expect(first.page.getByRole('alert')).toContainText('This recording goes on elsewhere');
  await delay(3_000);
  expect(await second.stopAndSave()).toBe(id);

  const session = await getWholeSession(request, id);
  expect(session.tracks[0]!.segments).toHaveLength(2);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm, { expectedRestarts: 1 });
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.unexpected, describeAccount(account)).toEqual([]);
  expect(account.lostMs, describeAccount(account)).toBe(0);
});

test('a tab that does not answer has its session taken from it, and cannot spoil it', async ({
  request,
  recordPage: first,
}) => {
  await first.open();
  await first.start();
  await delay(2_000);
  const id = await first.sessionId();
  const second = new RecordPage(await first.page.context().newPage());
  await second.open();
  await expect(elsewhere(second.page)).toBeVisible();
  // The first tab is stuck, as a tab in a debugger is.
  const stuck = first.page.evaluate(() => {
    const until = performance.now() + 9_000;
    while (performance.now() < until);
  });
  await second.page.getByRole('button', { name: 'Take over here' }).click();
  await second.expectState('recording', 15_000);
  await stuck;
  await first.expectState('error');
  await delay(2_000);
  expect(await second.stopAndSave()).toBe(id);
  const session = await getSession(request, id);
  expect(session.status).toBe('completed');
  expect(session.tracks[0]!.segments.map((one) => one.segment)).toEqual([0, 1]);
});

test('an unfinished recording is discarded here and on the server, after a second thought', async ({
  request,
  recordPage,
}) => {
  const { page } = recordPage;
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  const id = await recordPage.sessionId();
  await page.reload();
  await expect(unfinished(page)).toBeVisible();

  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await page.getByRole('button', { name: 'Keep it' }).click();
  await expect(page.getByRole('button', { name: 'Resume recording' })).toBeVisible();
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await page.getByRole('button', { name: 'Discard for good' }).click();
  await expect(unfinished(page)).toBeHidden();
  await expect(page.getByText('The earlier recording was discarded.')).toBeVisible();
  expect((await getSession(request, id)).status).toBe('discarded');

  await page.reload();
  await recordPage.expectState('idle');
  await delay(1_000);
  await expect(unfinished(page)).toBeHidden();
});

test('with the recovery link a recording goes on where nothing of it is left', async ({
  browser,
  request,
  recordPage,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);
  const id = await recordPage.sessionId();
  const { page } = recordPage;
  await page.getByText('If this device fails').click();
  const link = await page.getByLabel('Recovery link').inputValue();
  expect(link).toContain(`#resume=${id}.`);
  await page.close();

  const device = await browser.newContext();
  const other = new RecordPage(await device.newPage());
  await other.page.goto(link.replace('#', '?processing=off#'));
  await expect(unfinished(other.page)).toBeVisible();
  await other.page.getByRole('button', { name: 'Resume recording' }).click();
  await other.expectState('recording');
  expect(other.page.url()).not.toContain('resume=');
  await delay(3_000);
  expect(await other.stopAndSave()).toBe(id);

  const session = await getWholeSession(request, id);
  const [first, second] = session.tracks[0]!.segments;
  expect(second!.started_at_ms).toBeGreaterThanOrEqual(first!.started_at_ms + first!.duration_ms);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm, { expectedRestarts: 1 });
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  await device.close();
});
