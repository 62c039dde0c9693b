/** Rows of the fault table: the network between page and server. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, stopAndMeasure, test } from '../../lib/fault-test.ts';
import { FULL, recordLoss } from '../../lib/loss-report.ts';

/** The page notices a silent connection when an item has waited so long for its ack. */
const ANSWER_DEADLINE_MS = 20_000;
/** A try to connect may be in a black hole for so long, and the next may wait. */
const RECONNECT_MS_MAX = 20_000;

test.describe.configure({ timeout: 180_000 });

test('a recording without any fault shows what the measurement itself costs', async ({
  recordPage,
  api,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(5_000);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  await recordLoss(testInfo, 'none', loss);
});

test('a network that is cut and then a black hole costs nothing', async ({
  recordPage,
  network,
  api,
}, testInfo) => {
  const [dropMs, holeMs] = FULL ? [25_000, 35_000] : [6_000, 9_000];
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);

  network.drop();
  await recordPage.expectLink('reconnecting');
  await delay(dropMs);
  network.blackhole();
  await delay(holeMs);
  await recordPage.expectState('recording');
  await expect(recordPage.page.getByText(/Reconnecting: \d+ chunks/)).toBeVisible();
  const kept = await recordPage.pending();
  expect(kept, 'everything since the cut waits').toBeGreaterThan((dropMs + holeMs) / 400);

  network.pass();
  await recordPage.expectLink('online', RECONNECT_MS_MAX);
  await delay(2_000);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  const seconds = (dropMs + holeMs) / 1000;
  await recordLoss(testInfo, 'network-cut', loss, `${seconds} s cut; ${kept} chunks waited`);
});

test('a connection that goes silent is given up, and costs nothing', async ({
  recordPage,
  network,
  api,
}, testInfo) => {
  test.skip(!FULL, 'takes half a minute; the soak has such faults too');
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);

  network.blackhole();
  const silentAt = Date.now();
  await recordPage.expectLink('reconnecting', ANSWER_DEADLINE_MS + 5_000);
  const noticedMs = Date.now() - silentAt;
  network.pass();
  await recordPage.expectLink('online', RECONNECT_MS_MAX);
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  const notes = `noticed after ${(noticedMs / 1000).toFixed(1)} s`;
  await recordLoss(testInfo, 'network-silent', loss, notes);
});
