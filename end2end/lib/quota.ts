/**
 * A browser whose storage quota is used up. Chromium's own switch for that (CDP's
 * `Storage.overrideQuotaForOrigin`) changes what it reports and not what it lets pages write, so
 * the page's transactions are aborted at the end, which is when a browser notices.
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
    const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function (value, key) {
      const request = put.call(this, value, key);
      if (window.isQuotaUsedUp) {
        request.addEventListener('success', () => {
          // A second write of the same transaction finds it aborted already.
          try {
            this.transaction.abort();
            window.writesRefused += 1;
          } catch {
            return;
          }
        });
      }
      return request;
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
