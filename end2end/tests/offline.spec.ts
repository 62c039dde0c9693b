/** No server from the start: the page opens, records and keeps; whoever has the server again delivers. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BrowserContext, CDPSession, Page, TestInfo, APIRequestContext } from '@playwright/test';
import { fetchRecording, getSession, getWholeSession } from '../lib/api.ts';
import { buildId, Front } from '../lib/front.ts';
import { RecordPage } from '../lib/record-page.ts';
import { expectInstalled, openWithoutServer } from '../lib/service-worker.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

const SCREENSHOTS = resolve(import.meta.dirname, '../output/screenshots');
const SYNC_TAG = 'holdfast-deliver';
const STYLE = '/style/holdfast.css';
/** What one may record in the time between a click and the state that it leads to. */
const TOLERANCE_MS = 400;

function safety(page: Page): ReturnType<Page['locator']> {
  return page.locator('.safety');
}

async function expectNothingLost(
  request: APIRequestContext,
  id: string,
  recordedMs: number,
  testInfo: TestInfo,
): Promise<void> {
  const session = await getWholeSession(request, id);
  expect(session.duration_ms).toBeGreaterThan(recordedMs - TOLERANCE_MS);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm);
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.jumps, describeAccount(account)).toEqual([]);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.repeatedMs, describeAccount(account)).toBe(0);
}

test('a recording starts, runs and ends without a server, and arrives when there is one', async ({
  request,
  recordPage,
  server,
}, testInfo) => {
  const { page } = recordPage;
  await openWithoutServer(recordPage, server);
  await expect(page.getByRole('status')).toContainText('the server is out of reach');
  await expect(safety(page)).toContainText('Reconnecting: you can record all the same');

  await recordPage.start();
  const id = await recordPage.sessionId();
  await delay(4_000);
  await expect(safety(page)).toContainText(/Reconnecting: \d+ chunks .+ kept safe on this device/);
  await recordPage.stopButton.click();
  await recordPage.expectState('finishing');
  await recordPage.expectLink('reconnecting');
  // For the last words it runs on for a moment.
  await delay(500);
  const kept = await recordPage.pending();
  expect(kept).toBeGreaterThan(15);

  await page.reload();
  await recordPage.expectState('idle');
  await recordPage.expectLink('reconnecting');
  await expect.poll(() => recordPage.pending()).toBe(kept);
  await expect(safety(page)).toContainText(`Reconnecting: ${kept} chunks`);

  await server.start();
  await recordPage.expectLink('online');
  await expect.poll(() => recordPage.pending()).toBe(0);
  await expect(page.getByText('An earlier recording is now safe on the server.')).toBeVisible();
  await expectNothingLost(request, id, 4_000, testInfo);
});

test('what was not finished is offered without a server, and finished there', async ({
  request,
  recordPage,
  server,
}) => {
  const { page } = recordPage;
  await openWithoutServer(recordPage, server);
  await recordPage.start();
  const id = await recordPage.sessionId();
  await delay(3_000);
  await page.reload();
  const unfinished = page.getByRole('region', { name: 'Unfinished recording' });
  await expect(unfinished).toBeVisible();
  await expect(safety(page)).toContainText(/Reconnecting: \d+ chunks/);
  await unfinished.getByRole('button', { name: 'Finish and save' }).click();
  await recordPage.expectState('finishing');
  await server.start();
  expect(await recordPage.expectDone(30_000)).toBe(id);
  await getWholeSession(request, id);
});

test('the page without a server asks for nothing that it does not have', async ({
  recordPage,
  server,
  complaints,
}) => {
  const { page } = recordPage;
  const failed: string[] = [];
  page.on('requestfailed', (request) => failed.push(new URL(request.url()).pathname));
  await openWithoutServer(recordPage, server);
  // Whether the server is back: the only thing that there is to ask for.
  expect(failed.filter((path) => path !== '/healthz')).toEqual([]);
  expect(complaints.filter((complaint) => !complaint.includes('/healthz'))).toEqual([]);
});

test('a server that does not answer holds the page up for a moment only', async ({
  page,
  server,
}) => {
  const front = await Front.start(server.baseURL);
  try {
    await page.goto(`${front.baseURL}/record`);
    await expectInstalled(page);
    front.isHanging = true;
    const since = Date.now();
    await page.reload();
    await expect(page.locator('[data-state]')).toHaveAttribute('data-link', 'reconnecting');
    expect(Date.now() - since).toBeLessThan(12_000);
    await expect(page.getByRole('button', { name: 'Start recording' })).toBeEnabled();
  } finally {
    await front.close();
  }
});

test('a first visit stays within 210 kB with all that is kept for the next one', async ({
  page,
  server,
}) => {
  const front = await Front.start(server.baseURL);
  try {
    await page.goto(`${front.baseURL}/record`, { waitUntil: 'networkidle' });
    await expectInstalled(page);
    console.log(`    /record on the wire, precached: ${(front.bytesSent / 1000).toFixed(1)} kB`);
    expect(front.bytesSent).toBeLessThanOrEqual(210_000);
  } finally {
    await front.close();
  }
});

test('files are kept for good under their build, and the service worker never', async ({
  request,
}) => {
  const worker = await request.get('/sw.js');
  expect(worker.headers()['content-type']).toContain('text/javascript');
  expect(worker.headers()['cache-control']).toBe('no-cache');
  const id = buildId(await worker.text());
  const ours = await request.get(`/assets/${id}/frontend.js`);
  expect(ours.headers()['cache-control']).toContain('immutable');
  const plain = await request.get('/assets/frontend.js');
  expect(plain.headers()['cache-control']).toBe('no-cache');
  expect(await plain.text()).toBe(await ours.text());
  const other = await request.get(`/assets/${'0'.repeat(id.length)}/frontend.js`);
  expect(other.status()).toBe(404);
  expect(other.headers()['cache-control'] ?? '').not.toContain('immutable');
});

/** The names of the caches, and what they hold of the style sheet. */
async function keptStyles(page: Page): Promise<Record<string, string[]>> {
  return page.evaluate(async (style) => {
    const kept: Record<string, string[]> = {};
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      const styles = (await cache.keys()).filter(({ url }) => url.endsWith(style));
      kept[name] = await Promise.all(
        styles.map(async (request) => (await (await cache.match(request))?.text()) ?? ''),
      );
    }
    return kept;
  }, STYLE);
}

function integrity(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

test('a new build replaces all of the old one, and neither sees a file of the other', async ({
  page,
  server,
}) => {
  const front = await Front.start(server.baseURL);
  try {
    const worker = await (await fetch(`${front.baseURL}/sw.js`)).text();
    const oldId = buildId(worker);
    const newId = 'f'.repeat(oldId.length);
    const oldStyle = await (await fetch(`${front.baseURL}/assets/${oldId}${STYLE}`)).text();
    const newStyle = `${oldStyle}\n/* another build */`;
    await page.goto(`${front.baseURL}/record`);
    await expectInstalled(page);
    expect(Object.keys(await keptStyles(page))).toEqual([`holdfast-${oldId}`]);

    const asked: string[] = [];
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (pathname.startsWith('/assets/')) {
        asked.push(pathname);
      }
    });
    front.deploy({
      id: newId,
      change: (path, text) => {
        if (path.endsWith(STYLE)) {
          return newStyle;
        }
        return path === '/sw.js' ? text.replaceAll(integrity(oldStyle), integrity(newStyle)) : text;
      },
    });
    await page.reload();
    await expect(page.getByRole('button', { name: 'Start recording' })).toBeEnabled();
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((path) => !path.startsWith(`/assets/${newId}/`))).toEqual([]);

    await expect
      .poll(() => keptStyles(page), { timeout: 15_000 })
      .toEqual({ [`holdfast-${newId}`]: [newStyle] });
    front.isHanging = true;
    asked.length = 0;
    await page.reload();
    await expect(page.getByRole('button', { name: 'Start recording' })).toBeEnabled();
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((path) => !path.startsWith(`/assets/${newId}/`))).toEqual([]);
  } finally {
    await front.close();
  }
});

test('a build whose files are not what they should be is not kept', async ({ page, server }) => {
  const front = await Front.start(server.baseURL);
  try {
    const oldId = buildId(await (await fetch(`${front.baseURL}/sw.js`)).text());
    await page.goto(`${front.baseURL}/record`);
    await expectInstalled(page);
    const before = await keptStyles(page);
    front.deploy({
      id: 'e'.repeat(oldId.length),
      change: (path, text) => (path.endsWith(STYLE) ? `${text}\n/* damaged */` : text),
    });
    const fate = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration('/record');
      const decided = new Promise<string>((resolve) => {
        registration?.addEventListener('updatefound', () => {
          const worker = registration.installing;
          worker?.addEventListener('statechange', () => resolve(worker.state));
        });
      });
      await registration?.update();
      return decided;
    });
    expect(fate).toBe('redundant');
    expect(await keptStyles(page)).toEqual(before);
  } finally {
    await front.close();
  }
});

test('the other pages never meet the service worker', async ({ recordPage, server }) => {
  const { page } = recordPage;
  await recordPage.open();
  await expectInstalled(page);
  for (const path of ['/', '/api/docs']) {
    const response = await page.goto(path);
    expect(response?.fromServiceWorker(), path).toBe(false);
    expect(await page.evaluate(() => navigator.serviceWorker.controller), path).toBeNull();
  }
  await server.kill();
  await expect(page.goto('/')).rejects.toThrow(/ERR_CONNECTION_REFUSED/);
});

/** Speaks for the browser: the network is back. No page is at hand for that. */
async function sync(context: BrowserContext, origin: string): Promise<CDPSession> {
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  const registrationId = new Promise<string>((found) => {
    devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const ours = registrations.find(({ scopeURL }) => scopeURL.startsWith(origin));
      if (ours) {
        found(ours.registrationId);
      }
    });
  });
  await devtools.send('ServiceWorker.enable');
  await devtools.send('ServiceWorker.dispatchSyncEvent', {
    origin,
    registrationId: await registrationId,
    tag: SYNC_TAG,
    lastChance: false,
  });
  return devtools;
}

for (const [name, isFinished] of [['finished', true], ['not finished', false]] as const) {
  test(`what a closed tab left ${name} is delivered without a page`, async ({
    request,
    recordPage,
    server,
    context,
  }, testInfo) => {
    const { page } = recordPage;
    await openWithoutServer(recordPage, server);
    await recordPage.start();
    const id = await recordPage.sessionId();
    await delay(4_000);
    if (isFinished) {
      await recordPage.stopButton.click();
      await recordPage.expectState('finishing');
    }
    const tags = (): Promise<string[]> =>
      page.evaluate(async () => {
        const registration = await navigator.serviceWorker.getRegistration('/record');
        const { sync } = registration as unknown as { sync: { getTags: () => Promise<string[]> } };
        return sync.getTags();
      });
    await expect.poll(tags).toContain(SYNC_TAG);
    const kept = await recordPage.pending();
    const closed = page.waitForEvent('close');
    await page.close({ runBeforeUnload: true });
    await closed;
    expect(context.pages()).toEqual([]);

    await server.start();
    await sync(context, server.baseURL);
    await expect.poll(() => itemsOf(request, id)).toBeGreaterThanOrEqual(kept);
    if (isFinished) {
      await expect.poll(async () => (await getSession(request, id)).status).toBe('completed');
      await expectNothingLost(request, id, 4_000, testInfo);
    } else {
      const session = await getSession(request, id);
      expect(session.missing).toEqual([]);
      expect(session.status).not.toBe('completed');
    }

    // The next page finds out what has arrived, and lets go of exactly that.
    const next = new RecordPage(await context.newPage());
    await next.open();
    await expect.poll(() => next.pending()).toBe(0);
    if (!isFinished) {
      const unfinished = next.page.getByRole('region', { name: 'Unfinished recording' });
      await unfinished.getByRole('button', { name: 'Finish and save' }).click();
      expect(await next.expectDone()).toBe(id);
      await getWholeSession(request, id);
    }
    await expect.poll(() => keptItems(next.page)).toBe(0);
  });
}

test('a session that a page is at work on is left to it', async ({
  recordPage,
  server,
  context,
}) => {
  await recordPage.open();
  await expectInstalled(recordPage.page);
  await recordPage.start();
  const id = await recordPage.sessionId();
  await delay(1_000);
  await sync(context, server.baseURL);
  await recordPage.page.bringToFront();
  // Longer than the courier waits for a page that is on its way out.
  await delay(4_500);
  await recordPage.expectState('recording');
  await recordPage.expectLink('online');
  await recordPage.stopAndSave();
  const log = await readFile(server.logPath, 'utf8');
  const welcomes = log.split('\n').filter((line) => line.includes('welcome') && line.includes(id));
  expect(welcomes).toHaveLength(1);
});

/** How many items the server has, which may not know the session yet. */
async function itemsOf(request: APIRequestContext, id: string): Promise<number> {
  const response = await request.get(`/api/sessions/${id}`);
  return response.ok() ? ((await response.json()) as { items: number }).items : 0;
}

async function keptItems(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('holdfast');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const counting = opening.result.transaction('items').objectStore('items').count();
          counting.onsuccess = () => resolve(counting.result);
          counting.onerror = () => reject(counting.error);
        };
      }),
  );
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [width, height] of [[390, 844], [1280, 800]] as const) {
    test.describe(`${colorScheme}, ${width} pixels wide`, () => {
      test.use({ colorScheme, viewport: { width, height } });

      test('the page without a server looks right', async ({ recordPage, server }) => {
        const { page } = recordPage;
        const look = (name: string): Promise<Buffer> =>
          page.screenshot({
            path: `${SCREENSHOTS}/offline-${name}-${colorScheme}-${width}.png`,
            fullPage: true,
          });
        await openWithoutServer(recordPage, server);
        await look('idle');
        await recordPage.start();
        await delay(2_000);
        await look('recording');
        await recordPage.stopButton.click();
        await recordPage.expectState('finishing');
        await look('finishing');
        await page.reload();
        await expect(safety(page)).toContainText(/Reconnecting: \d+ chunks/);
        await look('reloaded');
      });
    });
  }
}
