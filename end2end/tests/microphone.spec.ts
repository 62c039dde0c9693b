/** The ground the other tests stand on: Chromium's microphone and recorder pass on the whole tone code. */
import { writeFile } from 'node:fs/promises';
import { decode } from '../lib/audio.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

test.use({ baseURL: 'http://127.0.0.1:9' });

test('a plain MediaRecorder loses and repeats nothing but a deliberate pause', async ({ page }, testInfo) => {
  await page.route('**/*', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Recorder</title>' }),
  );
  await page.goto('/');
  const recorded = await page.evaluate(async () => {
    const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const recorder = new MediaRecorder(stream, { mimeType: 'audio/webm;codecs=opus' });
    const blobs: Blob[] = [];
    recorder.ondataavailable = (event) => blobs.push(event.data);
    const stopped = new Promise((done) => (recorder.onstop = done));
    recorder.start(1_000);
    await sleep(2_000);
    recorder.pause();
    const pausedAt = performance.now();
    await sleep(1_000);
    recorder.resume();
    const pausedMs = performance.now() - pausedAt;
    await sleep(2_000);
    recorder.stop();
    await stopped;
    stream.getTracks().forEach((track) => track.stop());
    return { bytes: [...new Uint8Array(await new Blob(blobs).arrayBuffer())], pausedMs };
  });
  const path = testInfo.outputPath('recorder.webm');
  await writeFile(path, Buffer.from(recorded.bytes));

  const account = accountForTones(await decode(path), { expectedPauses: [recorded.pausedMs] });
  console.log(`    MediaRecorder: ${describeAccount(account)}`);
  expect(account.jumps, describeAccount(account)).toHaveLength(1);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.repeatedMs, describeAccount(account)).toBe(0);
});
