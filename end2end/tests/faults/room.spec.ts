/** Rows of the fault table: no room, on the server's disk and in the browser. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from '@playwright/test';
import { BrowserLife } from '../../lib/browser-life.ts';
import { acceptLeaving, expect, stopAndMeasure, test } from '../../lib/fault-test.ts';
import { FULL, recordLoss } from '../../lib/loss-report.ts';
import { installQuota, setQuotaUsedUp, writesRefused } from '../../lib/quota.ts';
import { RecordPage } from '../../lib/record-page.ts';
import { Server } from '../../lib/server.ts';
import { emptyDisk, fillDisk, whyNoSmallDisk, withSmallDisk } from '../../lib/small-disk.ts';
import { installWitness } from '../../lib/witness.ts';

const DISK_MEGABYTES = 24;
const PROFILE_MEGABYTES = 96;
/** The page tries again after 5 s at the latest. */
const RECOVERY_MS_MAX = 20_000;

const noDisk = whyNoSmallDisk();

test.describe.configure({ timeout: 180_000 });

test.describe("with a small disk of the server's own", () => {
  test.skip(noDisk !== undefined, `no disk can be mounted here: ${noDisk}`);

  test.use({
    server: async ({}, use, testInfo) => {
      const folder = testInfo.outputPath('server');
      const surroundings = withSmallDisk(join(folder, 'data'), DISK_MEGABYTES);
      const server = await Server.start(folder, [], surroundings);
      await use(server);
      await testInfo.attach('server.log', { path: server.logPath });
      await server.close();
    },
  });

  test('a full disk of the server costs nothing and is got over', async ({
    recordPage,
    server,
    api,
  }, testInfo) => {
    const fullMs = FULL ? 30_000 : 8_000;
    await recordPage.open();
    await recordPage.start();
    await delay(3_000);

    await fillDisk(server.pid, server.dataDir);
    await expect(recordPage.page.getByText(/disk is full/)).toBeVisible();
    await delay(fullMs);
    await recordPage.expectState('recording');
    const kept = await recordPage.pending();
    expect(kept, 'what the server cannot store waits in the browser').toBeGreaterThan(fullMs / 400);

    await emptyDisk(server.pid, server.dataDir);
    await recordPage.expectLink('online', RECOVERY_MS_MAX);
    await expect.poll(() => recordPage.pending(), { timeout: RECOVERY_MS_MAX }).toBeLessThan(5);
    await delay(2_000);
    const { loss } = await stopAndMeasure(recordPage, api, testInfo);
    const notes = `full for ${fullMs / 1000} s; ${kept} chunks waited in the browser`;
    await recordLoss(testInfo, 'disk-full', loss, notes);
  });
});

test('a browser whose quota is used up says so, and loses nothing while the server is there', async ({
  page,
  recordPage,
  api,
}, testInfo) => {
  await installQuota(page);
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);
  await setQuotaUsedUp(page, true);
  const notice = await expectStorageNotice(page);
  await delay(FULL ? 30_000 : 5_000);
  await recordPage.expectState('recording');
  const pending = expect.poll(() => recordPage.pending(), 'everything still reaches the server');
  await pending.toBeLessThan(5);
  const refused = await writesRefused(page);
  expect(refused).toBeGreaterThan(10);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  await recordLoss(testInfo, 'quota', loss, `${refused} writes failed; the page says: ${notice}`);
});

test('a browser on a full disk says so, and loses nothing while the server is there', async ({
  launchOptions,
  network,
  api,
}, testInfo) => {
  test.skip(noDisk !== undefined, `no disk can be mounted here: ${noDisk}`);
  const profile = testInfo.outputPath('profile');
  const browser = testInfo.outputPath('chromium-on-small-disk');
  const command = [...withSmallDisk(profile, PROFILE_MEGABYTES), launchOptions.executablePath ?? ''];
  const quoted = command.map((word) => `'${word}'`).join(' ');
  await writeFile(browser, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  const life = await BrowserLife.start(profile, {
    ...launchOptions,
    args: [...(launchOptions.args ?? []), '--no-sandbox'],
    executablePath: browser,
    baseURL: network.baseURL,
  });
  await installWitness(life.context);
  acceptLeaving(life.context);
  const { page } = life;
  const recordPage = new RecordPage(page);
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);

  await fillDisk(await life.pid(), profile);
  const notice = await expectStorageNotice(page);
  await delay(FULL ? 20_000 : 4_000);
  await recordPage.expectState('recording');
  const pending = expect.poll(() => recordPage.pending(), 'everything still reaches the server');
  await pending.toBeLessThan(5);
  await emptyDisk(await life.pid(), profile);
  await delay(2_000);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  await life.close();
  await recordLoss(testInfo, 'browser-disk-full', loss, `the page says: ${notice}`);
});

/** The page says loudly that it cannot keep anything; what it says. */
async function expectStorageNotice(page: Page): Promise<string> {
  const notice = page.getByText(/storage is full or blocked/).first();
  await expect(notice).toBeVisible();
  const words = (await notice.innerText()).trim().replace(/\.$/, '');
  return `“${words}”`;
}
