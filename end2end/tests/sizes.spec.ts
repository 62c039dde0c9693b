/** What a first visit transfers, as the browser counts it: compressed, headers included. */
import type { Page } from '@playwright/test';
import { expect, test } from '../lib/test.ts';

interface Transfer {
  url: string;
  bytes: number;
}

/** Opens `path` with an empty cache and waits until the network is quiet. */
async function firstLoad(page: Page, path: string): Promise<Transfer[]> {
  const devtools = await page.context().newCDPSession(page);
  const urls = new Map<string, string>();
  const transfers: Transfer[] = [];
  devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
    urls.set(requestId, request.url);
  });
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    transfers.push({ url: urls.get(requestId) ?? '?', bytes: encodedDataLength });
  });
  await devtools.send('Network.enable');
  await page.goto(path, { waitUntil: 'networkidle' });
  return transfers;
}

function report(path: string, transfers: Transfer[], budgetBytes: number): number {
  const total = transfers.reduce((sum, { bytes }) => sum + bytes, 0);
  const parts = [...transfers]
    .sort((one, other) => other.bytes - one.bytes)
    .map(({ url, bytes }) => `${new URL(url).pathname} ${kilobytes(bytes)}`);
  console.log(
    `    first load of ${path}: ${kilobytes(total)} of ${kilobytes(budgetBytes)} kB (${parts.join(', ')})`,
  );
  return total;
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

test('the record page loads within 200 kB', async ({ page }) => {
  const transfers = await firstLoad(page, '/record');
  await expect(page.getByRole('button', { name: 'Start recording' })).toBeEnabled();
  expect(report('/record', transfers, 200_000)).toBeLessThanOrEqual(200_000);
  expect(transfers.some(({ url }) => url.endsWith('.wasm'))).toBe(true);
});

test('the history loads within 30 kB and has no WASM', async ({ page }) => {
  const transfers = await firstLoad(page, '/');
  expect(report('/', transfers, 30_000)).toBeLessThanOrEqual(30_000);
  expect(transfers.filter(({ url }) => url.includes('.wasm'))).toEqual([]);
  expect(await page.content()).not.toContain('.wasm');
});
