/** Firefox, where it is installed: what Chromium has recorded plays in it, too. */
import puppeteer, { type Browser } from 'puppeteer-core';
import type { Player } from './player.ts';

const WITHIN_MS = 30_000;

/** Empty where there is none. */
export const FIREFOX = process.env.FIREFOX ?? '';

export async function launchFirefox(): Promise<Browser> {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    timeout: WITHIN_MS,
    // A test is no gesture.
    extraPrefsFirefox: { 'media.autoplay.default': 0 },
  });
}

/** The player of a page. */
export async function openPlayer(browser: Browser, url: string): Promise<Player> {
  const page = await browser.newPage();
  await page.goto(url, { timeout: WITHIN_MS });
  const found = await page.waitForSelector('[aria-label="Recording"]', { visible: true, timeout: WITHIN_MS });
  const evaluate = (run: unknown, argument: unknown) => found!.evaluate(run as never, argument);
  return { evaluate } as unknown as Player;
}
