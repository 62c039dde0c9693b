/** A browser on a profile of its own: started, killed, started again on what it left behind. */
import { setTimeout as delay } from 'node:timers/promises';
import { readdir, readFile } from 'node:fs/promises';
import { chromium, type BrowserContext, type LaunchOptions, type Page } from '@playwright/test';

const GONE_DEADLINE_MS = 10_000;

export class BrowserLife {
  private constructor(
    readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  static async start(
    profile: string,
    options: LaunchOptions & { baseURL: string },
  ): Promise<BrowserLife> {
    return new BrowserLife(await chromium.launchPersistentContext(profile, options), profile);
  }

  /** Its first tab. */
  get page(): Page {
    const page = this.context.pages()[0];
    if (!page) {
      throw new Error('the browser has no tab');
    }
    return page;
  }

  /** Of its main process. */
  async pid(): Promise<number> {
    const [main] = await this.processes((arguments_) => !arguments_.includes('--type='));
    if (!main) {
      throw new Error(`no browser runs on ${this.profile}`);
    }
    return main;
  }

  /** SIGKILL to the browser's main process; returns when that was. Every process of it is gone. */
  async kill(): Promise<number> {
    const main = await this.pid();
    const killedAt = Date.now();
    process.kill(main, 'SIGKILL');
    const deadline = killedAt + GONE_DEADLINE_MS;
    while ((await this.processes(() => true)).length > 0) {
      if (Date.now() > deadline) {
        throw new Error(`processes of the killed browser live on, on ${this.profile}`);
      }
      await delay(50);
    }
    return killedAt;
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  /** The processes that work on our profile, which nobody else's do. */
  private async processes(wanted: (arguments_: string) => boolean): Promise<number[]> {
    const found: number[] = [];
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) {
        continue;
      }
      const arguments_ = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
      if (arguments_.includes(`--user-data-dir=${this.profile}`) && wanted(arguments_)) {
        found.push(Number(entry));
      }
    }
    return found;
  }
}

/** Crashes the tab's own process; returns when the page last gave a sign of life. */
export async function crashTab(page: Page): Promise<number> {
  const key = 'last-sign-of-life';
  await page.evaluate((name) => {
    setInterval(() => localStorage.setItem(name, String(Date.now())), 2);
  }, key);
  await delay(200);
  const devtools = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  // It is never answered, and the crash becomes known only when its report is written.
  void devtools.send('Page.crash').catch(() => undefined);
  await crashed;
  const origin = new URL(page.url()).origin;
  const next = await page.context().newPage();
  await next.goto(`${origin}/healthz`);
  const sign = await next.evaluate((name) => localStorage.getItem(name), key);
  await next.close();
  return Number(sign);
}
