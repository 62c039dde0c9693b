import { expect, type Page } from '@playwright/test';

/** Waits until the record page would open without a server. */
export async function expectInstalled(page: Page): Promise<void> {
  const isActive = (): Promise<boolean> =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration('/record');
      return registration?.active?.state === 'activated';
    });
  await expect.poll(isActive, { timeout: 15_000 }).toBe(true);
}
