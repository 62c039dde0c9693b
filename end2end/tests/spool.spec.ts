/** Nothing leaves the browser's spool before the server has it, and nothing stays after. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from '@playwright/test';
import { fetchRecording, getWholeSession } from '../lib/api.ts';
import { accountForTones, describeAccount, type Account } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

interface Transaction {
  stores: string[];
  mode: string;
  durability: string;
}

declare global {
  interface Window {
    transactionsSeen: Transaction[];
  }
}

/** Has the page note every IndexedDB transaction it opens. */
async function watchTransactions(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.transactionsSeen = [];
    const open = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      const transaction = open.call(this, stores, mode, options);
      window.transactionsSeen.push({
        stores: [...transaction.objectStoreNames],
        mode: transaction.mode,
        durability: transaction.durability,
      });
      return transaction;
    };
  });
}

/** How many records each object store of the page's databases holds, by `database/store`. */
async function countStored(page: Page): Promise<Record<string, number>> {
  return page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((done, refuse) => {
        request.onsuccess = () => done(request.result);
        request.onerror = () => refuse(request.error);
      });
    const counts: Record<string, number> = {};
    for (const { name } of await indexedDB.databases()) {
      const database = await settled(indexedDB.open(name as string));
      for (const store of database.objectStoreNames) {
        counts[`${name}/${store}`] = await settled(
          database.transaction(store).objectStore(store).count(),
        );
      }
      database.close();
    }
    return counts;
  });
}

/** The stores that hold items; there must be one. */
function itemStores(counts: Record<string, number>): [string, number][] {
  const stores = Object.entries(counts).filter(([name]) => /\/.*items/i.test(name));
  expect(stores, `an object store for items among ${Object.keys(counts)}`).not.toHaveLength(0);
  return stores;
}

function expectWhole(account: Account): void {
  const description = describeAccount(account);
  console.log(`    tones: ${description}`);
  expect(account.jumps, description).toEqual([]);
  expect(account.lostMs, description).toBe(0);
  expect(account.repeatedMs, description).toBe(0);
}

test('every write to the spool asks for strict durability, and the spool is empty in the end', async ({
  page,
  recordPage,
}) => {
  await watchTransactions(page);
  await recordPage.open();
  await recordPage.start();
  await delay(4_000);
  await recordPage.stopAndSave();

  const writes = await page.evaluate(() =>
    window.transactionsSeen.filter((transaction) => transaction.mode === 'readwrite'),
  );
  expect(writes.length).toBeGreaterThan(3);
  expect(writes.filter((write) => write.durability !== 'strict')).toEqual([]);
  for (const [store, count] of itemStores(await countStored(page))) {
    expect(count, `items left in ${store}`).toBe(0);
  }
});

test('a server that is killed and comes back costs 0 ms', async ({
  page,
  request,
  recordPage,
  server,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);

  await server.kill();
  await recordPage.expectLink('reconnecting');
  await delay(1_000);
  const pendingEarly = await recordPage.pending();
  await expect.poll(() => recordPage.pending()).toBeGreaterThan(pendingEarly + 1);
  await recordPage.expectState('recording');
  const kept = itemStores(await countStored(page)).reduce((sum, [, count]) => sum + count, 0);
  expect(kept, 'the items that wait are in the spool').toBeGreaterThan(pendingEarly);

  await server.start();
  await recordPage.expectLink('online');
  await expect.poll(() => recordPage.pending()).toBeLessThanOrEqual(2);
  await delay(3_000);
  const id = await recordPage.stopAndSave();

  const session = await getWholeSession(request, id);
  const { pcm } = await fetchRecording(request, session, testInfo);
  expectWhole(accountForTones(pcm));
});

test('a recording that is stopped while the server is away is saved when it returns', async ({
  request,
  recordPage,
  server,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);
  await server.kill();
  await recordPage.expectLink('reconnecting');
  await delay(2_000);
  await recordPage.stopButton.click();
  await recordPage.expectState('finishing');
  expect(await recordPage.pending()).toBeGreaterThan(0);

  await server.start();
  const id = await recordPage.expectDone(30_000);
  const session = await getWholeSession(request, id);
  const { pcm } = await fetchRecording(request, session, testInfo);
  expectWhole(accountForTones(pcm));
});
