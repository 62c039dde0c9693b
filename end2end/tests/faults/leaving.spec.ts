/** Rows of the fault table: a page that ends in good order, and one that comes back. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from '@playwright/test';
import { getSession } from '../../lib/api.ts';
import {
  describeLivingOn,
  expect,
  measureIncomplete,
  measureWhole,
  pressStop,
  recordedUntilUnload,
  stopAndMeasure,
  test,
} from '../../lib/fault-test.ts';
import type { Loss, Part } from '../../lib/loss.ts';
import { FULL, recordLoss } from '../../lib/loss-report.ts';
import { installQuota, setQuotaUsedUp } from '../../lib/quota.ts';
import { RecordPage } from '../../lib/record-page.ts';
import { expectInstalled } from '../../lib/service-worker.ts';

const RECORD_MS = 2_000;
const RUNS = FULL ? 5 : 1;
const SLOW_DELAY_MS = 400;
const SLOW_BYTES_PER_SECOND = 250_000;

/** As in a browser that has no synchronous requests for blobs: the beacon is all there is. */
async function forbidReadingNow(page: Page): Promise<void> {
  await page.addInitScript(() => {
    URL.createObjectURL = () => {
      throw new Error('not here');
    };
  });
}

test.describe.configure({ timeout: FULL ? 400_000 : 90_000 });

for (const { id, claim, prepare, leave } of [
  {
    id: 'reload',
    claim: 'a reload that is resumed loses nothing captured before it',
    prepare: async () => {},
    leave: ({ page }: RecordPage) => page.reload(),
  },
  {
    id: 'reload-unread',
    claim: 'a reload loses nothing where the last chunk cannot be read any more',
    prepare: forbidReadingNow,
    leave: ({ page }: RecordPage) => page.reload(),
  },
  {
    id: 'navigation',
    claim: 'a way out and back that is resumed loses nothing captured before it',
    prepare: async () => {},
    leave: async ({ page }: RecordPage) => {
      await page.goto('/');
      await page.goBack();
    },
  },
] as const) {
  test(claim, async ({ page, recordPage, api }, testInfo) => {
    const losses: Loss[] = [];
    const parts: Part[] = [];
    await prepare(page);
    for (let run = 0; run < RUNS; run++) {
      await recordPage.open();
      await recordPage.start();
      // Each run ends elsewhere between two chunks.
      await delay(RECORD_MS + run * 70);
      const part = await recordedUntilUnload(page, () => leave(recordPage));
      await recordPage.resumeRecording();
      await delay(RECORD_MS);
      const { loss } = await stopAndMeasure(recordPage, api, testInfo, [part]);
      parts.push(part);
      losses.push(loss);
    }
    await recordLoss(testInfo, id, losses, describeLivingOn(parts, losses));
  });
}

test('a reload on a slow network loses nothing captured before it', async ({
  page,
  recordPage,
  network,
  api,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(RECORD_MS);
  network.slow(SLOW_DELAY_MS, SLOW_BYTES_PER_SECOND);
  await delay(1_000);
  const part = await recordedUntilUnload(page, () => page.reload());
  network.pass();
  await recordPage.resumeRecording();
  await delay(RECORD_MS);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo, [part]);
  const notes =
    `${SLOW_DELAY_MS} ms late, ${SLOW_BYTES_PER_SECOND / 1000} kB/s; ` +
    describeLivingOn([part], [loss]);
  await recordLoss(testInfo, 'reload-slow', loss, notes);
});

for (const { id, claim, isQuotaUsedUp } of [
  {
    id: 'reload-offline',
    claim: 'a reload while the server is away loses nothing captured before it',
    isQuotaUsedUp: false,
  },
  {
    id: 'reload-memory-only',
    claim: 'a reload loses nothing of what neither server nor database would take',
    isQuotaUsedUp: true,
  },
] as const) {
  test(claim, async ({ page, recordPage, network, api }, testInfo) => {
    await installQuota(page);
    await recordPage.open();
    await expectInstalled(page);
    const losses: Loss[] = [];
    const parts: Part[] = [];
    for (let run = 0; run < RUNS; run++) {
      await recordPage.open();
      await recordPage.start();
      await delay(RECORD_MS + run * 70);
      network.drop();
      await recordPage.expectLink('reconnecting');
      if (isQuotaUsedUp) {
        await setQuotaUsedUp(page, true);
        await delay(RECORD_MS);
      }
      const part = await recordedUntilUnload(page, () => page.reload());
      await recordPage.resumeRecording();
      await delay(RECORD_MS);
      network.pass();
      const { loss } = await stopAndMeasure(recordPage, api, testInfo, [part]);
      parts.push(part);
      losses.push(loss);
    }
    await recordLoss(testInfo, id, losses, describeLivingOn(parts, losses));
  });
}

test('what was stopped while offline in a tab that was closed is saved later', async ({
  page,
  recordPage,
  network,
  api,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(RECORD_MS);
  network.drop();
  await recordPage.expectLink('reconnecting');
  await delay(1_500);
  const part = await pressStop(recordPage);
  await recordPage.expectState('finishing');
  const id = await recordPage.sessionId();
  const kept = await recordPage.pending();
  await page.close({ runBeforeUnload: true });
  await delay(1_000);

  network.pass();
  const later = new RecordPage(await page.context().newPage());
  await later.open();
  await expect.poll(async () => (await getSession(api, id)).status).toBe('completed');
  const { loss } = await measureWhole(id, api, testInfo, [part]);
  await recordLoss(testInfo, 'offline-stop', loss, `${kept} chunks were in the closed tab only`);
});

test.describe('with a short grace period', () => {
  // A beacon that comes after the connection's end counts as life until the heartbeat is missed.
  test.use({ serverFlags: ['--grace', '2s', '--heartbeat-timeout', '5s'] });

  test('a tab that is closed for good leaves a playable file', async ({
    page,
    recordPage,
    api,
  }, testInfo) => {
    const losses: Loss[] = [];
    const parts: Part[] = [];
    for (let run = 0; run < RUNS; run++) {
      const tab = run === 0 ? recordPage : new RecordPage(await page.context().newPage());
      await tab.open();
      await tab.start();
      await delay(RECORD_MS + run * 70);
      const id = await tab.sessionId();
      const watcher = await page.context().newPage();
      await watcher.goto('/');
      const part = await recordedUntilUnload(
        tab.page,
        async () => {
          const closed = tab.page.waitForEvent('close');
          await tab.page.close({ runBeforeUnload: true });
          await closed;
        },
        watcher,
      );
      await watcher.close();
      parts.push(part);
      await expect
        .poll(async () => (await getSession(api, id)).recording_url, { timeout: 15_000 })
        .toBeTruthy();
      losses.push(await measureIncomplete(id, api, testInfo, part));
    }
    await recordLoss(testInfo, 'closed-tab', losses, describeLivingOn(parts, losses));
  });

  test('who comes back after the grace period goes on in the same file', async ({
    page,
    recordPage,
    api,
  }, testInfo) => {
    await recordPage.open();
    await recordPage.start();
    await delay(RECORD_MS);
    const id = await recordPage.sessionId();
    const part = await recordedUntilUnload(page, () => page.goto('/'));
    await expect
      .poll(async () => (await getSession(api, id)).status, { timeout: 15_000 })
      .toBe('incomplete');
    await recordPage.open();
    await recordPage.resumeRecording();
    await delay(RECORD_MS);
    const { session, loss } = await stopAndMeasure(recordPage, api, testInfo, [part]);
    expect(session.id).toBe(id);
    await recordLoss(testInfo, 'after-grace', loss, 'both parts in one file');
  });
});
