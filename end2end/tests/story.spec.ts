/** What a reviewer is told of a session with an eventful life, and how it looks. */
import { setTimeout as delay } from 'node:timers/promises';
import { getEvents, getSession } from '../lib/api.ts';
import { lookAt } from '../lib/look.ts';
import { expect, test } from '../lib/test.ts';

test('a pause, a dead server and a reload are told, drawn and listed', async ({
  page,
  request,
  recordPage,
  server,
}) => {
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  await recordPage.pause();
  await delay(1_500);
  await recordPage.resume();
  await delay(1_000);
  await server.kill();
  await recordPage.expectLink('reconnecting');
  await delay(2_000);
  await server.start();
  await recordPage.expectLink('online');
  await delay(1_000);
  await page.reload();
  await page.getByRole('button', { name: 'Resume recording' }).click();
  await recordPage.expectState('recording');
  await delay(2_000);
  const id = await recordPage.stopAndSave();

  const events = await getEvents(request, id);
  const kinds = events.map((event) => event.kind);
  for (const kind of [
    'created',
    'connected',
    'segment_started',
    'paused',
    'pause_over',
    'connection_lost',
    'resumed',
    'finish_asked',
    'recording_made',
  ]) {
    expect(kinds, `${kind} in the event log`).toContain(kind);
  }
  expect(kinds.filter((kind) => kind === 'segment_started')).toHaveLength(2);
  const gone = events.find((event) => event.kind === 'connection_lost');
  expect(gone?.detail['cause']).toBe('server_gone');
  const session = await getSession(request, id);
  const made = events.find((event) => event.kind === 'recording_made');
  expect(made?.detail['duration_ms']).toBe(session.duration_ms);

  await page.goto(`/sessions/${id}`);
  const main = page.getByRole('main');
  await expect(main).toContainText(/Recorded .+ in 2 parts; .+ without a page between them\./);
  await expect(main).toContainText(/Paused once, for 1\.[4-9] s\./);
  await expect(main).toContainText(/The server was out of reach for .+ s/);
  const interruptions = page.getByRole('table', { name: 'Gaps, pauses and lost connections' });
  await expect(interruptions.getByRole('row', { name: /No page/ })).toHaveCount(1);
  await expect(interruptions.getByRole('row', { name: /Paused by the candidate/ })).toHaveCount(1);
  await expect(interruptions.getByRole('row', { name: /Server out of reach/ })).not.toHaveCount(0);
  await expect(page.getByRole('img', { name: /When something was recorded/ })).toBeVisible();
  await expect(page.locator('.map-recorded')).toHaveCount(2);
  await expect(page.locator('.map-file')).toHaveCount(2);
  const story = page.getByRole('listitem').filter({ hasText: 'the server was gone' });
  await expect(story).toContainText('Connection lost: the server was gone and is back.');
  // Wall-clock and media time differ by the pause and the gap: what is in the file is shorter.
  const [wall, file] = await widths();
  expect(wall - file).toBeGreaterThan(0.1 * wall);

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, height] of [[390, 844], [1280, 800]] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.goto(`/sessions/${id}`);
      await lookAt(page, `session-eventful-${colorScheme}-${width}`);
    }
  }

  /** From the left end of the first bar to the right end of the last, in each row. */
  async function widths(): Promise<[number, number]> {
    const reach = async (selector: string): Promise<number> => {
      const boxes = await Promise.all(
        (await page.locator(selector).all()).map((bar) => bar.boundingBox()),
      );
      const known = boxes.filter((box) => box !== null);
      const left = Math.min(...known.map((box) => box.x));
      return Math.max(...known.map((box) => box.x + box.width)) - left;
    };
    return [await reach('.map-recorded'), await reach('.map-file')];
  }
});

test('a session without any trouble says that there was none', async ({ page, recordPage }) => {
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  const id = await recordPage.stopAndSave();
  await page.goto(`/sessions/${id}`);
  const main = page.getByRole('main');
  await expect(main).toContainText(/Recorded .+ in one part\./);
  await expect(main).toContainText('There were no gaps, no pauses, and no lost connections.');
  await lookAt(page, 'session-plain');
});
