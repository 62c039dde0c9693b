/** The room on the candidate's device: told before the start, survived when it runs out. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator, Page } from '@playwright/test';
import { fetchRecording, getWholeSession } from '../lib/api.ts';
import { installQuota, setQuotaUsedUp } from '../lib/quota.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

/** As the page reckons. */
const SPOOL_BYTES_PER_SECOND = 18_000;
const FULL = "This browser's storage is full or blocked";

const alertOf = (page: Page): Locator => page.getByRole('alert');

/** What the browser reports: Chromium tells every page the same 10 GB, whatever its quota is. */
async function installEstimate(page: Page, freeBytes: number): Promise<void> {
  await page.addInitScript((bytes) => {
    StorageManager.prototype.estimate = async () => ({ quota: bytes + 1_000, usage: 1_000 });
  }, freeBytes);
}

/** How many items the spool holds. */
async function countSpooled(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((done, refuse) => {
        const opening = indexedDB.open('holdfast');
        opening.onerror = () => refuse(opening.error);
        opening.onsuccess = () => {
          const count = opening.result.transaction('items').objectStore('items').count();
          count.onerror = () => refuse(count.error);
          count.onsuccess = () => {
            opening.result.close();
            done(count.result);
          };
        };
      }),
  );
}

test('the room that the browser reports is told in words', async ({ page, recordPage }) => {
  await recordPage.open();
  await expect(
    page.getByText(/^Room for (about \d+ (minutes|hours)|days of recording) on this device$/),
  ).toBeVisible();
  await expect(alertOf(page)).toBeHidden();
});

for (const { minutes, room, warning } of [
  { minutes: 14 * 60, room: 'Room for about 14 hours on this device' },
  { minutes: 50, room: 'Room for about 50 minutes on this device' },
  { minutes: 5, warning: 'there is room for about 5 minutes only' },
]) {
  test(`room for ${minutes} minutes is ${warning ? 'warned of' : 'told'}`, async ({
    page,
    recordPage,
  }) => {
    await installEstimate(page, minutes * 60 * SPOOL_BYTES_PER_SECOND);
    await recordPage.open();
    if (room) {
      await expect(page.getByText(room, { exact: true })).toBeVisible();
      await expect(alertOf(page)).toBeHidden();
    } else {
      await expect(alertOf(page)).toContainText('This device is short of storage');
      await expect(alertOf(page)).toContainText(warning as string);
    }
  });
}

test('the browser is asked once to keep what is stored, when recording starts', async ({
  page,
  recordPage,
}) => {
  await page.addInitScript(() => {
    Object.assign(window, { persistAsked: 0 });
    const persist = StorageManager.prototype.persist;
    StorageManager.prototype.persist = function () {
      (window as unknown as { persistAsked: number }).persistAsked += 1;
      return persist.call(this);
    };
  });
  const asked = (): Promise<number> =>
    page.evaluate(() => (window as unknown as { persistAsked: number }).persistAsked);
  await recordPage.open();
  expect(await asked()).toBe(0);
  await recordPage.start();
  await recordPage.stopAndSave();
  expect(await asked()).toBe(1);
});

test('a full disk is told loudly, costs 0 ms, and is written to again once there is room', async ({
  page,
  request,
  recordPage,
  server,
}, testInfo) => {
  await installQuota(page);
  await recordPage.open();
  await recordPage.start();
  await delay(1_500);
  await setQuotaUsedUp(page, true);
  await expect(alertOf(page)).toContainText(FULL);
  await expect(alertOf(page)).toContainText('stay connected');
  await delay(1_500);

  // Without the server as well, memory is all there is.
  await server.kill();
  await recordPage.expectLink('reconnecting');
  await delay(2_000);
  await expect(alertOf(page)).toContainText('exists only in this page');
  const before = await countSpooled(page);
  await setQuotaUsedUp(page, false);
  await expect(alertOf(page)).toBeHidden({ timeout: 10_000 });
  expect(await countSpooled(page)).toBeGreaterThan(before + 8);
  await expect(recordPage.recorder).toContainText('kept safe on this device');

  await server.start();
  await recordPage.expectLink('online');
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm);
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.jumps, describeAccount(account)).toEqual([]);
  expect(await countSpooled(page)).toBe(0);
});

for (const fault of ['is missing', 'cannot be opened']) {
  test(`when IndexedDB ${fault}, that is told before the start, and nothing is lost`, async ({
    page,
    request,
    recordPage,
  }, testInfo) => {
    await page.addInitScript((isMissing) => {
      if (isMissing) {
        Object.defineProperty(window, 'indexedDB', { value: undefined });
      } else {
        IDBFactory.prototype.open = () => {
          throw new DOMException('as in a private window', 'UnknownError');
        };
      }
    }, fault === 'is missing');
    await recordPage.open();
    await expect(alertOf(page)).toContainText('This browser stores nothing for this page');
    await recordPage.start();
    await expect(alertOf(page)).toContainText(FULL);
    await delay(3_000);
    const session = await getWholeSession(request, await recordPage.stopAndSave());
    const { pcm } = await fetchRecording(request, session, testInfo);
    const account = accountForTones(pcm);
    expect(account.lostMs, describeAccount(account)).toBe(0);
    expect(account.jumps, describeAccount(account)).toEqual([]);
  });
}
