/**
 * A browser whose storage quota is used up. Chromium's own switch for that (CDP's
 * `Storage.overrideQuotaForOrigin`) changes what it reports and, within half a minute, not what it
 * lets pages write. So transactions that write something are aborted when they are to be committed,
 * which is when a browser notices.
 */
import type { Page } from '@playwright/test';

declare global {
  interface Window {
    isQuotaUsedUp: boolean;
    writesRefused: number;
  }
}

/** To be called before the page opens. */
export async function installQuota(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.isQuotaUsedUp = false;
    window.writesRefused = 0;
    const written = new WeakSet<IDBTransaction>();
    const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function (value, key) {
      written.add(this.transaction);
      return put.call(this, value, key);
    };
    const commit = IDBTransaction.prototype.commit;
    IDBTransaction.prototype.commit = function () {
      if (!window.isQuotaUsedUp || !written.has(this)) {
        commit.call(this);
        return;
      }
      window.writesRefused += 1;
      this.abort();
    };
  });
}

export async function setQuotaUsedUp(page: Page, isUsedUp: boolean): Promise<void> {
  await page.evaluate((value) => {
    window.isQuotaUsedUp = value;
  }, isUsedUp);
}

/** How many of the page's writes have failed for want of room. */
export async function writesRefused(page: Page): Promise<number> {
  return page.evaluate(() => window.writesRefused);
}
