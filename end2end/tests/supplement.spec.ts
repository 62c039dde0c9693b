/** What a device brings after its session was finished is neither refused nor lost: it becomes a supplement. */
import { setTimeout as delay } from 'node:timers/promises';
import { getSession } from '../lib/api.ts';
import { lookAt } from '../lib/look.ts';
import { readSpool } from '../lib/spool.ts';
import { expect, test } from '../lib/test.ts';

const PART_MS = 3_000;
/** Nothing more is to come for 30 s before the supplement is made. */
const MADE_WITHIN_MS = 60_000;

/** Its courier would deliver what the closed page left as soon as the server is back, before the finish. */
test.use({ serviceWorkers: 'block' });

interface WithSupplement {
  supplement: { items: number; files: { duration_ms: number }[] } | null;
}

test('what came while a reviewer had finished the session is played as a supplement', async ({
  context,
  request,
  recordPage,
  server,
}) => {
  await recordPage.open();
  await recordPage.start();
  const id = await recordPage.sessionId();
  await delay(PART_MS);
  await server.kill();
  await delay(PART_MS);
  await recordPage.page.close({ runBeforeUnload: false });
  await server.start();
  expect((await request.post(`/api/sessions/${id}/finish`)).status()).toBeLessThan(300);
  await expect.poll(async () => (await getSession(request, id)).status).toBe('completed');
  const recording = await (await request.get(`/api/sessions/${id}/recording`)).body();

  const page = await context.newPage();
  await page.goto('/record?processing=off');
  await expect.poll(async () => (await readSpool(page)).items.length, { timeout: 30_000 }).toBe(0);
  const supplement = async (): Promise<WithSupplement['supplement']> =>
    ((await (await request.get(`/api/sessions/${id}`)).json()) as WithSupplement).supplement;
  const playableMs = async (): Promise<number> =>
    ((await supplement())?.files ?? []).reduce((sum, file) => sum + file.duration_ms, 0);
  await expect.poll(playableMs, { timeout: MADE_WITHIN_MS }).toBeGreaterThan(PART_MS - 1_000);

  await page.goto(`/sessions/${id}`);
  const section = page.locator('section', { has: page.getByRole('heading', { name: 'Came later' }) });
  const player = section.locator('audio');
  await expect(player).toBeVisible();
  await player.evaluate((audio: HTMLAudioElement) => audio.play());
  await expect
    .poll(() => player.evaluate((audio: HTMLAudioElement) => audio.currentTime))
    .toBeGreaterThan(0.5);
  expect(await (await request.get(`/api/sessions/${id}/recording`)).body()).toEqual(recording);
  for (const [scheme, width] of [
    ['light', 1_280],
    ['dark', 390],
  ] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    await lookAt(page, `session-supplement-${scheme}-${width}`);
  }
});
