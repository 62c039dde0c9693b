/** A session that goes on in another format, as in another browser: a file for each, both whole. */
import { setTimeout as delay } from 'node:timers/promises';
import { getWholeSession, save, saveRecording } from '../lib/api.ts';
import { decode } from '../lib/audio.ts';
import { probe } from '../lib/ffmpeg.ts';
import { lookAt } from '../lib/look.ts';
import { expect, test } from '../lib/test.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';

const PART_MS = 4_000;
const LENGTH_TOLERANCE_MS = 50;

test('what was recorded in another format after a reload is a further file of its track', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  page.on('dialog', (dialog) => void dialog.accept());
  await recordPage.open();
  await recordPage.start();
  await delay(PART_MS);
  await page.addInitScript(() => {
    const isTypeSupported = MediaRecorder.isTypeSupported.bind(MediaRecorder);
    MediaRecorder.isTypeSupported = (type) => type.includes('mp4') && isTypeSupported(type);
  });
  await page.reload();
  await recordPage.resumeRecording();
  await delay(PART_MS);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  expect(session.left_out_segments).toBe(0);
  const [track] = session.tracks;
  expect(track!.segments).toHaveLength(2);
  expect(track!.further_parts.map(({ part, mime }) => ({ part, mime }))).toEqual([
    { part: 1, mime: 'audio/mp4' },
  ]);

  const whole = await saveRecording(request, session, testInfo);
  const [further] = track!.further_parts;
  const other = testInfo.outputPath('part-2.mp4');
  await save(request, further!.recording_url, other);
  const lengthsMs = [session.duration_ms, further!.duration_ms];
  for (const [i, path] of [whole, other].entries()) {
    const { format } = await probe(path);
    expect(format.format_name).toContain(['webm', 'mp4'][i]!);
    const lengthMs = 1_000 * Number(format.duration);
    expect(Math.abs(lengthMs - lengthsMs[i]!)).toBeLessThan(LENGTH_TOLERANCE_MS);
    expect(lengthMs).toBeGreaterThan(PART_MS - 1_000);
    const account = accountForTones(await decode(path));
    expect(account.lostMs, describeAccount(account)).toBe(0);
  }

  await page.goto(`/sessions/${session.id}`);
  const tracks = page.getByRole('heading', { name: 'Tracks', exact: true });
  await expect(tracks).toBeVisible();
  await expect(page.getByRole('link', { name: /part 2$/ })).toBeVisible();
  await lookAt(page, 'further-part');
});
