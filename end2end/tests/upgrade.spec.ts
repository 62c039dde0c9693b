/** A page of this release finds what another one has stored: it reads what it can, and keeps the rest. */
import { readFile } from 'node:fs/promises';
import type { Locator, Page } from '@playwright/test';
import { fetchRecording, getSession, getWholeSession, type MissingChunks } from '../lib/api.ts';
import { plantSpool, readSpool, spoolOfVersion1, type Spool } from '../lib/spool.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

// The service worker would deliver by itself what it can.
test.use({ serviceWorkers: 'block' });

/** As a version after this one may write it. */
const NEWER = 3;

interface Piece {
  store: string;
  key: unknown;
  value: unknown;
}

function unreadable(page: Page, words: string): Locator {
  return page.getByText(`${words} as a file.`, { exact: true });
}

async function saveUnreadable(page: Page): Promise<Piece[]> {
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as a file' }).click();
  return JSON.parse(await readFile(await (await downloading).path(), 'utf8')) as Piece[];
}

async function open(page: Page, spool: Spool): Promise<void> {
  await page.goto('/healthz');
  await plantSpool(page, spool);
}

test('what the last release left is offered, delivered and saved', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  const spool = spoolOfVersion1();
  const id = spool.sessions[0]![0];
  await open(page, spool);
  await recordPage.open();
  await expect(recordPage.unfinished).toContainText(/From .+: 0:02 recorded/);
  await expect(recordPage.unfinished).toContainText('all of it is safe on the server');
  await recordPage.finishButton.click();
  expect(await recordPage.expectDone()).toBe(id);

  const session = await getWholeSession(request, id);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm);
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.jumps, describeAccount(account)).toEqual([]);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  await expect.poll(() => readSpool(page)).toEqual({ sessions: [], items: [], localStorage: [] });
});

test('what cannot be read is counted, saved as a file, and stays when the rest is done', async ({
  page,
  request,
  recordPage,
}) => {
  page.on('dialog', (dialog) => void dialog.accept());
  const spool = spoolOfVersion1();
  const id = spool.sessions[0]![0];
  const [cut, newer] = [spool.items[5]!, spool.items[7]!];
  cut[1].frame = { bytes: btoa('no frame') };
  newer[1].version = NEWER;
  const stash = spool.localStorage.find(([key]) => key.startsWith('holdfast-stash'))!;
  stash[1] = 'no stash';
  await open(page, spool);
  await recordPage.open();
  const words = '3 stored pieces cannot be read by this version; they are kept: save them';
  await expect(unreadable(page, words)).toBeVisible();
  await expect(recordPage.unfinished).toContainText('3 chunks');
  await expect(recordPage.unfinished).not.toContainText('all of it');

  expect(await saveUnreadable(page)).toEqual([
    { store: 'items', key: cut[0], value: cut[1] },
    { store: 'items', key: newer[0], value: newer[1] },
    { store: 'localStorage', key: stash[0], value: stash[1] },
  ]);

  await recordPage.finishButton.click();
  await recordPage.expectState('error');
  await expect(page.getByRole('alert')).toContainText('cannot read it');
  // Everything else has arrived, and nothing was called lost: the server still waits.
  expect(await recordPage.pending()).toBe(0);
  const chunks = await request.get(`/api/sessions/${id}/missing-chunks`);
  const { missing } = (await chunks.json()) as MissingChunks;
  expect(missing.slice(0, 2)).toEqual([[5, 5], [7, 7]]);
  expect((await getSession(request, id)).status).toBe('active');

  // Somebody who looks after the server has the recording made of what is there.
  expect((await request.post(`/api/sessions/${id}/finish`)).status()).toBeLessThan(300);
  await expect.poll(async () => (await getSession(request, id)).status).toBe('completed');
  await page.reload();
  await expect(unreadable(page, words)).toBeVisible();
  await expect(page.getByText('What could not be sent is kept on this device.')).toBeVisible();
  const left = await readSpool(page);
  expect(left.sessions.map(([key]) => key)).toEqual([id]);
  expect(left.items).toEqual([cut, newer]);
  expect(left.localStorage).toContainEqual(stash);
});

test('a session whose record is of a newer version is kept and not touched', async ({
  page,
  request,
  recordPage,
}) => {
  const spool = spoolOfVersion1();
  const [id, record] = spool.sessions[0]!;
  record.version = NEWER;
  await open(page, spool);
  await recordPage.open();
  const words = '16 stored pieces cannot be read by this version; they are kept: save them';
  await expect(unreadable(page, words)).toBeVisible();
  await expect(recordPage.unfinished).toBeHidden();
  const pieces = await saveUnreadable(page);
  expect(pieces.map(({ store }) => store)).toEqual([
    'sessions',
    ...spool.items.map(() => 'items'),
    'localStorage',
  ]);
  expect(await readSpool(page)).toEqual(spool);
  expect((await request.get(`/api/sessions/${id}`)).status()).toBe(404);
});

test('what is thrown away takes with it what cannot be read', async ({ page, recordPage }) => {
  const spool = spoolOfVersion1();
  spool.items[5]![1].version = NEWER;
  await open(page, spool);
  await recordPage.open();
  await expect(
    unreadable(page, '1 stored piece cannot be read by this version; it is kept: save it'),
  ).toBeVisible();
  await recordPage.unfinished.getByRole('button', { name: 'Discard' }).click();
  await recordPage.unfinished.getByRole('button', { name: 'Discard for good' }).click();
  await expect(page.getByText('The earlier recording was discarded.')).toBeVisible();
  await expect(page.getByText('cannot be read')).toBeHidden();
  await expect.poll(() => readSpool(page)).toEqual({ sessions: [], items: [], localStorage: [] });
});
