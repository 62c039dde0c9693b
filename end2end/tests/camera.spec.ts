/** The camera beside the microphone: chosen, seen, recorded, reloaded in the middle, in step. */
import { setTimeout as delay } from 'node:timers/promises';
import { fetchRecording, getWholeSession } from '../lib/api.ts';
import { expect, FILM_FRAMES, test } from '../lib/film-test.ts';
import { accountForFrames, FRAMES_PER_SECOND } from '../lib/frames.ts';
import { seek } from '../lib/player.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';

const PART_MS = 4_000;
/** A camera takes its time to start, and the last frame may be cut. */
const FRAMES_MIN = ((PART_MS - 800) / 1_000) * FRAMES_PER_SECOND;

test('sound and camera are recorded together, and a reload loses no frame but its own', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await page.getByRole('radio', { name: 'Sound and camera' }).check();
  const preview = page.getByLabel('What is recorded');
  await expect(preview).toBeHidden();
  await recordPage.start();
  await expect(preview).toBeVisible();
  const isMoving = () =>
    preview.evaluate((video: HTMLVideoElement) => video.currentTime > 0 && video.videoWidth > 0);
  await expect.poll(isMoving).toBe(true);
  await delay(PART_MS);
  await page.reload();
  await recordPage.resumeRecording();
  await expect(preview, 'it goes on with the camera').toBeVisible();
  await delay(PART_MS);
  const id = await recordPage.stopAndSave();

  const session = await getWholeSession(request, id);
  expect(session.tracks).toHaveLength(1);
  expect(session.tracks[0]!.kind).toBe('camera');
  expect(session.tracks[0]!.segments).toHaveLength(2);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm, { expectedRestarts: 1 });
  expect(account.lostMs, describeAccount(account)).toBe(0);

  const frames = await accountForFrames(testInfo.outputPath('recording.webm'), FILM_FRAMES);
  console.log(`    ${frames.numbers.length} frames; jumps ${JSON.stringify(frames.jumps)}`);
  expect(frames.numbers.length).toBeGreaterThan(2 * FRAMES_MIN);
  expect(frames.jumps.length, 'only where the page was reloaded').toBeLessThanOrEqual(1);

  await page.goto(`/sessions/${id}`);
  const player = page.locator('video');
  await expect(player).toBeVisible();
  const seeked = await seek(player, 6);
  expect(seeked.at).toBeCloseTo(6, 1);
  expect(seeked.width).toBeGreaterThan(0);
  expect(seeked.duration).toBeCloseTo(session.duration_ms! / 1_000, 1);
});

test('without a camera that is said, and sound can be recorded all the same', async ({
  page,
  recordPage,
}) => {
  await page.addInitScript(() => {
    const open = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = function (constraints) {
      if (constraints?.video) {
        return Promise.reject(new DOMException('Requested device not found', 'NotFoundError'));
      }
      return open.call(this, constraints);
    };
  });
  await recordPage.open();
  await page.getByRole('radio', { name: 'Sound and camera' }).check();
  await recordPage.startButton.click();
  await expect(page.getByRole('alert')).toContainText('No camera can be used');
  await page.reload();
  await recordPage.start();
  await delay(1_000);
  await recordPage.stopAndSave();
});
