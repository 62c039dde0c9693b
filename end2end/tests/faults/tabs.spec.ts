/** Row of the fault table: two tabs and one recording. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, stopAndMeasure, test } from '../../lib/fault-test.ts';
import { recordLoss } from '../../lib/loss-report.ts';
import { RecordPage } from '../../lib/record-page.ts';
import { readCapture } from '../../lib/witness.ts';

test.describe.configure({ timeout: 90_000 });

test('a second tab takes the recording over, and the first one stops', async ({
  page,
  recordPage,
  api,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);
  const id = await recordPage.sessionId();

  const second = new RecordPage(await page.context().newPage());
  await second.open();
  await expect(second.page.getByText(/in another tab/).first()).toBeVisible();
  await recordPage.expectState('recording');
  await second.page.getByRole('button', { name: 'Take over here' }).click();
  await second.expectState('recording');
  await expect(page.getByRole('alert').filter({ hasText: /goes on|another tab/i })).toBeVisible();
  await expect(recordPage.recorder).not.toHaveAttribute('data-state', 'recording');
  const capture = await readCapture(page);
  expect(capture.stoppedAt, 'the first recorder was stopped').not.toBeNull();

  await delay(3_000);
  expect(await second.sessionId()).toBe(id);
  const part = { capture, endedAt: capture.stoppedAt ?? 0 };
  const { loss } = await stopAndMeasure(second, api, testInfo, [part]);
  await recordLoss(testInfo, 'second-tab', loss, 'the first tab stopped when the second took over');
});
