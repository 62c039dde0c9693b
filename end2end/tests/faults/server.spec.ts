/** Rows of the fault table: a server that dies. */
import { setTimeout as delay } from 'node:timers/promises';
import { getSession } from '../../lib/api.ts';
import { expect, stopAndMeasure, test } from '../../lib/fault-test.ts';
import { FULL, recordLoss } from '../../lib/loss-report.ts';

test.describe.configure({ timeout: FULL ? 400_000 : 120_000 });

test('a server that is killed and restarted again and again costs nothing', async ({
  recordPage,
  server,
  api,
}, testInfo) => {
  const [kills, downMs] = FULL ? [10, 10_000] : [3, 1_500];
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  for (let kill = 0; kill < kills; kill++) {
    await server.kill();
    await recordPage.expectLink('reconnecting');
    await delay(downMs);
    await server.start();
    await recordPage.expectLink('online');
    await delay(1_000);
  }
  await recordPage.expectState('recording');
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  await recordLoss(testInfo, 'server-kills', loss, `${kills} kills, ${downMs / 1000} s down each`);
});

test('a server that is killed between commit and ack stores nothing twice', async ({
  recordPage,
  server,
  network,
  api,
}, testInfo) => {
  const kills = FULL ? 10 : 2;
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  const id = await recordPage.sessionId();
  let unacked = 0;
  for (let kill = 0; kill < kills; kill++) {
    network.blackhole('toClient');
    const { items: ackedAtMost } = await getSession(api, id);
    await expect
      .poll(async () => (await getSession(api, id)).items)
      .toBeGreaterThan(ackedAtMost + 3);
    const { items: committed } = await getSession(api, id);
    unacked += committed - ackedAtMost;
    // What the page was never told of, it still has.
    expect(await recordPage.pending()).toBeGreaterThanOrEqual(committed - ackedAtMost);
    await server.kill();
    network.drop();
    await server.start();
    network.pass();
    await recordPage.expectLink('online');
    await expect.poll(() => recordPage.pending()).toBeLessThanOrEqual(2);
  }
  const { loss } = await stopAndMeasure(recordPage, api, testInfo);
  const notes = `${kills} kills; ${unacked} items were committed and not acked`;
  await recordLoss(testInfo, 'commit-no-ack', loss, notes);
});
