import { expect, type Page } from '@playwright/test';
import type { RecordPage } from './record-page.ts';

/** Waits until the record page would open without a server. */
export async function expectInstalled(page: Page): Promise<void> {
  const isActive = (): Promise<boolean> =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration('/record');
      return registration?.active?.state === 'activated';
    });
  await expect.poll(isActive, { timeout: 15_000 }).toBe(true);
}

/** Opens the page for the first time, and once more when the server is gone. */
export async function openWithoutServer(
  recordPage: RecordPage,
  server: { kill: () => Promise<void> },
): Promise<void> {
  const { page } = recordPage;
  await recordPage.open();
  await expectInstalled(page);
  await server.kill();
  await page.reload();
  await recordPage.expectState('idle');
  await recordPage.expectLink('reconnecting');
  await expect(recordPage.startButton).toBeEnabled();
}
