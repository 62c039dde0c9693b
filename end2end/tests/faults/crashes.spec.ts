/** Rows of the fault table: a tab and a browser that are gone from one moment to the next. */
import { setTimeout as delay } from 'node:timers/promises';
import { BrowserLife, crashTab } from '../../lib/browser-life.ts';
import { acceptLeaving, stopAndMeasureAfterCrash, test } from '../../lib/fault-test.ts';
import type { Loss } from '../../lib/loss.ts';
import { FULL, recordLoss } from '../../lib/loss-report.ts';
import { RecordPage } from '../../lib/record-page.ts';
import { installWitness, readCapture } from '../../lib/witness.ts';

const RUNS = FULL ? 10 : 2;
const RECORD_MS = 2_000;
/** Each run ends elsewhere between two chunks. */
const SHIFT_MS = 37;

test.describe.configure({ timeout: FULL ? 400_000 : 120_000 });

function median(losses: Loss[]): number {
  const sorted = losses.map((loss) => loss.lostMs).sort((one, other) => one - other);
  return Math.round(sorted[Math.floor((sorted.length - 1) / 2)] ?? 0);
}

test('a tab that crashes loses one timeslice at most', async ({ context, api }, testInfo) => {
  const losses: Loss[] = [];
  for (let run = 0; run < RUNS; run++) {
    const first = new RecordPage(await context.newPage());
    await first.open();
    await first.start();
    await delay(RECORD_MS + run * SHIFT_MS);
    const capture = await readCapture(first.page);
    const endedAt = await crashTab(first.page);
    await first.page.close();

    const second = new RecordPage(await context.newPage());
    await second.open();
    await second.resumeRecording();
    await delay(RECORD_MS);
    losses.push(await stopAndMeasureAfterCrash(second, api, testInfo, { capture, endedAt }));
    await second.page.close();
  }
  await recordLoss(testInfo, 'tab-crash', losses, `median ${median(losses)} ms`);
});

test('a browser that is killed loses one timeslice at most', async ({
  launchOptions,
  network,
  api,
}, testInfo) => {
  const profile = testInfo.outputPath('profile');
  const start = async (): Promise<BrowserLife> => {
    const life = await BrowserLife.start(profile, { ...launchOptions, baseURL: network.baseURL });
    await installWitness(life.context);
    acceptLeaving(life.context);
    return life;
  };
  const losses: Loss[] = [];
  let life = await start();
  for (let run = 0; run < RUNS; run++) {
    const first = new RecordPage(life.page);
    await first.open();
    await first.start();
    await delay(RECORD_MS + run * SHIFT_MS);
    const capture = await readCapture(life.page);
    const endedAt = await life.kill();

    life = await start();
    const second = new RecordPage(life.page);
    await second.open();
    await second.resumeRecording();
    await delay(RECORD_MS);
    losses.push(await stopAndMeasureAfterCrash(second, api, testInfo, { capture, endedAt }));
  }
  await life.close();
  await recordLoss(testInfo, 'browser-kill', losses, `median ${median(losses)} ms`);
});
