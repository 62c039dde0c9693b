/** Every page, to be looked at, listened to and used without a mouse. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Locator, Page } from '@playwright/test';
import { lookAt } from '../lib/look.ts';
import { RecordPage } from '../lib/record-page.ts';
import { expect, test } from '../lib/test.ts';

const UNKNOWN_SESSION = '/sessions/00000000-0000-7000-8000-000000000000';

test('an empty history leads to the record page', async ({ page, complaints }) => {
  await page.goto('/');
  await expect(page.locator('a[href*="/sessions/"]')).toHaveCount(0);
  await page.locator('a[href="/record"]').first().click();
  await expect(page).toHaveURL('/record');
  expect(complaints).toEqual([]);
});

for (const path of ['/no-such-page', UNKNOWN_SESSION]) {
  test(`${path} is not found, says so, and leads back`, async ({ page }) => {
    const response = await page.goto(path);
    expect(response?.status()).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toContainText(/not found|no such/i);
    await page.locator('main a[href="/"]').first().click();
    await expect(page).toHaveURL('/');
  });
}

test('history and session pages work without WASM', async ({ page, recordPage }) => {
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  const id = await recordPage.stopAndSave();

  const requested: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  for (const path of ['/', `/sessions/${id}`]) {
    await page.goto(path, { waitUntil: 'networkidle' });
    expect(await page.content()).not.toContain('.wasm');
  }
  expect(requested.filter((url) => url.includes('.wasm'))).toEqual([]);
});

test('the recorder can be used by keyboard alone', async ({ page, recordPage }) => {
  await recordPage.open();
  await press(page, recordPage.startButton);
  await recordPage.expectState('recording');
  await press(page, recordPage.pauseButton);
  await recordPage.expectState('paused');
  await press(page, recordPage.resumeButton);
  await recordPage.expectState('recording');
  await delay(1_000);
  await press(page, recordPage.stopButton);
  await recordPage.expectDone();
  await press(page, recordPage.viewLink);
  await expect(page).toHaveURL(/\/sessions\//);
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [width, height] of [[390, 844], [1280, 800]] as const) {
    test.describe(`${colorScheme}, ${width} pixels wide`, () => {
      test.use({ colorScheme, viewport: { width, height } });

      test('every page looks right, is accessible and does not complain', async ({
        page,
        complaints,
      }) => {
        const look = (name: string): Promise<void> =>
          lookAt(page, `${name}-${colorScheme}-${width}`);

        await page.goto('/');
        await look('history-empty');

        const recordPage = new RecordPage(page);
        await recordPage.open();
        await look('record-idle');
        await recordPage.start();
        await delay(2_000);
        await look('record-recording');
        await lookAtOtherTab(page, `record-elsewhere-${colorScheme}-${width}`);
        await recordPage.pause();
        await look('record-paused');
        await recordPage.resume();
        page.on('dialog', (dialog) => void dialog.accept());
        await page.reload();
        await expect(page.getByRole('region', { name: 'Unfinished recording' })).toBeVisible();
        await look('record-unfinished');
        await page.getByRole('button', { name: 'Discard', exact: true }).click();
        await look('record-discard');
        await page.getByRole('button', { name: 'Keep it' }).click();
        await page.getByRole('button', { name: 'Resume recording' }).click();
        await recordPage.expectState('recording');
        await page.getByText('If this device fails').click();
        await look('record-recovery');
        const id = await recordPage.stopAndSave();
        await look('record-done');

        await page.goto('/');
        await look('history');
        await page.goto(`/sessions/${id}`);
        await expect(page.locator('audio, video').first()).toBeVisible();
        await look('session');
        const docs = await page.goto('/api/docs');
        expect(docs?.status()).toBe(200);
        await look('api-docs');
        expect(complaints).toEqual([]);

        // The browser itself notes the 404 on the console.
        await page.goto('/no-such-page');
        await look('not-found');
        expect(complaints.filter((complaint) => !complaint.includes('404'))).toEqual([]);
      });
    });
  }
}

/** The record page of a second tab, while the first one records. */
async function lookAtOtherTab(first: Page, name: string): Promise<void> {
  const second = new RecordPage(await first.context().newPage());
  await second.open();
  await expect(second.page.getByRole('region', { name: 'Recording in another tab' })).toBeVisible();
  await lookAt(second.page, name);
  await second.page.close();
  await first.bringToFront();
}

/** Moves the focus with Tab until it is on `target`, and presses Enter. */
async function press(page: Page, target: Locator): Promise<void> {
  await expect(target).toBeVisible();
  for (let presses = 0; presses < 40; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) {
      await page.keyboard.press('Enter');
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${target}`);
}
