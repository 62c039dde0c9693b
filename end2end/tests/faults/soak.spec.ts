/**
 * Row of the fault table: one recording, and random faults every few seconds. `make soak-browser`
 * runs it for an hour; MINUTES and SEED say otherwise.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, CDPSession } from '@playwright/test';
import { seeded } from '../../lib/dice.ts';
import { expect, recordedUntilUnload, stopAndMeasure, test } from '../../lib/fault-test.ts';
import type { Part } from '../../lib/loss.ts';
import { recordLoss } from '../../lib/loss-report.ts';
import type { Proxy } from '../../lib/proxy.ts';
import type { RecordPage } from '../../lib/record-page.ts';
import type { Server } from '../../lib/server.ts';

const MINUTES = Number(process.env.MINUTES ?? '1');
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** One fault in so many is a reload, which starts a new part. */
const RELOAD_SHARE = MINUTES > 5 ? 0.06 : 0.2;
const QUIET_MS: [number, number] = [800, 5_000];
/** A silent connection is given up after 20 s; then a try may fall into the last black hole. */
const RECOVERY_MS_MAX = 60_000;
const MEMORY_EVERY_MS = 5_000;
/** What a browser's memory may grow over the whole time: garbage comes and goes. */
const MEMORY_GROWTH_BYTES_MAX = 24_000_000;

test.use({ endlessTones: true });
test.describe.configure({ timeout: MINUTES * 60_000 * 1.5 + 180_000 });

interface World {
  recordPage: RecordPage;
  network: Proxy;
  server: Server;
  /** Between two times, by the dice. */
  between(fromMs: number, toMs: number): number;
  /** Parts that are over. */
  parts: Part[];
}

const FAULTS: Record<string, (world: World) => Promise<void>> = {
  async cut({ network, between }) {
    network.drop();
    await delay(between(300, 6_000));
    network.pass();
  },
  async hole({ network, between }) {
    const swallow = (['both', 'toServer', 'toClient'] as const)[Math.floor(between(0, 3))];
    network.blackhole(swallow);
    await delay(between(500, 6_000));
    network.pass();
  },
  async slowness({ network, between }) {
    network.slow(between(50, 1_500), between(20_000, 200_000));
    await delay(between(1_000, 6_000));
    network.pass();
  },
  async kill({ server, between }) {
    await server.kill();
    await delay(between(100, 4_000));
    await server.start();
  },
  async reload({ recordPage, parts }) {
    parts.push(await recordedUntilUnload(recordPage.page, () => recordPage.page.reload()));
    await recordPage.resumeRecording();
    // Without a second of sound the part could not be found in the code.
    await delay(2_000);
  },
};

test('a long recording survives random faults, and the browser does not grow', async ({
  browser,
  page,
  recordPage,
  network,
  server,
  api,
}, testInfo) => {
  console.log(`    seed ${SEED}, ${MINUTES} minutes`);
  const random = seeded(SEED);
  const between = (fromMs: number, toMs: number): number => fromMs + random() * (toMs - fromMs);
  const world: World = { recordPage, network, server, between, parts: [] };
  const counts = Object.fromEntries(Object.keys(FAULTS).map((name) => [name, 0]));
  const others = Object.keys(FAULTS).filter((name) => name !== 'reload');

  await recordPage.open();
  await recordPage.start();
  const memory = await Memory.watch(browser, await page.context().newCDPSession(page));
  const startedAt = Date.now();
  let measuredAt = startedAt;
  while (Date.now() - startedAt < MINUTES * 60_000) {
    await delay(between(...QUIET_MS));
    const name =
      random() < RELOAD_SHARE ? 'reload' : (others[Math.floor(random() * others.length)] as string);
    counts[name] = (counts[name] ?? 0) + 1;
    await FAULTS[name]?.(world);
    await recordPage.expectState('recording');
    if (Date.now() - measuredAt >= MEMORY_EVERY_MS) {
      measuredAt = Date.now();
      await memory.measure();
    }
  }
  await recordPage.expectLink('online', RECOVERY_MS_MAX);
  await expect.poll(() => recordPage.pending(), { timeout: RECOVERY_MS_MAX }).toBeLessThan(5);
  await memory.measure();

  const { session, loss } = await stopAndMeasure(recordPage, api, testInfo, world.parts);
  const faults = Object.entries(counts).map(([name, count]) => `${count} × ${name}`);
  const notes = [
    `${MINUTES} minutes, seed ${SEED}: ${faults.join(', ')}`,
    `${session.items} items`,
    memory.describe(),
  ];
  await recordLoss(testInfo, 'soak', loss, notes.join('; '));
  expect(memory.growthBytes(), memory.describe()).toBeLessThan(MEMORY_GROWTH_BYTES_MAX);
});

interface MemorySample {
  heapBytes: number;
  /** Resident in the page's process. */
  residentBytes: number;
}

/** The memory of the page's process, after its garbage is collected. */
class Memory {
  private readonly samples: MemorySample[] = [];

  private constructor(
    private readonly system: CDPSession,
    private readonly page: CDPSession,
  ) {}

  static async watch(browser: Browser, page: CDPSession): Promise<Memory> {
    await page.send('Performance.enable');
    const memory = new Memory(await browser.newBrowserCDPSession(), page);
    await memory.measure();
    return memory;
  }

  async measure(): Promise<void> {
    await this.page.send('HeapProfiler.collectGarbage');
    const { metrics } = await this.page.send('Performance.getMetrics');
    const heapBytes = metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0;
    const { processInfo } = await this.system.send('SystemInfo.getProcessInfo');
    const renderers = processInfo.filter(({ type }) => type === 'renderer');
    const resident = await Promise.all(renderers.map(({ id }) => residentBytes(id)));
    this.samples.push({ heapBytes, residentBytes: Math.max(...resident) });
  }

  growthBytes(): number {
    const { first, last } = this.ends();
    return last.residentBytes - first.residentBytes;
  }

  describe(): string {
    const { first, last } = this.ends();
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
    return (
      `page's process ${megabytes(first.residentBytes)} → ${megabytes(last.residentBytes)} MB, ` +
      `JavaScript heap ${megabytes(first.heapBytes)} → ${megabytes(last.heapBytes)} MB`
    );
  }

  /** The medians of the first and of the last quarter. */
  private ends(): { first: MemorySample; last: MemorySample } {
    const count = Math.ceil(this.samples.length / 4);
    return {
      first: medians(this.samples.slice(0, count)),
      last: medians(this.samples.slice(-count)),
    };
  }
}

function medians(samples: MemorySample[]): MemorySample {
  const median = (figures: number[]): number =>
    figures.sort((one, other) => one - other)[Math.floor(figures.length / 2)] ?? 0;
  return {
    heapBytes: median(samples.map((sample) => sample.heapBytes)),
    residentBytes: median(samples.map((sample) => sample.residentBytes)),
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
