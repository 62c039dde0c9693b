/** What becomes of a recording when the microphone, the recorder or its permission fails. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  chromium,
  type APIRequestContext,
  type Locator,
  type Page,
  type TestInfo,
} from '@playwright/test';
import { fetchRecording, getEvents, getWholeSession, type Session } from '../lib/api.ts';
import {
  changeDevices,
  installMicrophoneFaults,
  installRecorderFaults,
  installSlowTimers,
  setMicrophoneError,
  setMuted,
  setToneLoudness,
  stallRecorder,
  unplug,
  useToneInstead,
} from '../lib/faulty-microphone.ts';
import { RecordPage } from '../lib/record-page.ts';
import { accountForTones, describeAccount } from '../lib/tones.ts';
import { expect, test } from '../lib/test.ts';

/** "Goes on by itself within a second or two." */
const GO_ON_MS_MAX = 2_000;
/** "Says within 5 s", and a moment for the test to see it. */
const TOLD_MS_MAX = 5_500;

const alertOf = (page: Page): Locator => page.getByRole('alert');
const noticesOf = (page: Page): Locator => page.getByRole('list', { name: 'Notices' });
const tryAgain = (page: Page): Locator => page.getByRole('button', { name: 'Try again' });

/** Checks that nothing is lost inside the segments, and returns them. */
async function expectSegments(
  request: APIRequestContext,
  testInfo: TestInfo,
  id: string,
  count: number,
): Promise<Session['tracks'][number]['segments']> {
  const session = await getWholeSession(request, id);
  const segments = session.tracks[0]!.segments;
  expect(segments).toHaveLength(count);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm, { expectedRestarts: count - 1 });
  console.log(`    tones: ${describeAccount(account)}`);
  expect(account.unexpected, describeAccount(account)).toEqual([]);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  return segments;
}

/** From the end of one segment to the beginning of the next, on the session's timeline. */
function gapMs(segments: Session['tracks'][number]['segments'], index: number): number {
  const [before, after] = [segments[index]!, segments[index + 1]!];
  return after.started_at_ms - (before.started_at_ms + before.duration_ms);
}

test('a blocked microphone is said to be blocked, how to allow it, and can be tried again', async ({
  page,
  recordPage,
}) => {
  await installMicrophoneFaults(page, 'NotAllowedError');
  await recordPage.open();
  await recordPage.startButton.click();
  await recordPage.expectState('error');
  await expect(alertOf(page)).toContainText('The microphone was blocked');
  await expect(alertOf(page)).toContainText('"Allow"');
  await setMicrophoneError(page, undefined);
  await tryAgain(page).click();
  await recordPage.expectState('recording');
  await expect(alertOf(page)).toBeHidden();
});

for (const { error, title } of [
  { error: 'NotFoundError', title: 'No microphone was found' },
  { error: 'NotReadableError', title: 'The microphone does not start' },
]) {
  test(`before the start, ${error} has its own words, and a device that comes is tested`, async ({
    page,
    recordPage,
  }) => {
    await installMicrophoneFaults(page, error);
    await recordPage.open();
    await recordPage.startButton.click();
    await expect(alertOf(page)).toContainText(title);
    await expect(tryAgain(page)).toBeVisible();
    await setMicrophoneError(page, undefined);
    await changeDevices(page);
    // Nobody is recorded without having asked for it just now.
    await recordPage.expectState('idle');
    await expect(page.getByRole('button', { name: 'Stop test' })).toBeVisible();
    await expect(alertOf(page)).toBeHidden();
  });
}

test('a microphone that is unplugged is replaced by another one, and both parts are whole', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await installMicrophoneFaults(page);
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);
  await unplug(page);
  await expect(noticesOf(page)).toContainText('The recording goes on with “', {
    timeout: GO_ON_MS_MAX,
  });
  await recordPage.expectState('recording');
  await delay(3_000);
  const segments = await expectSegments(request, testInfo, await recordPage.stopAndSave(), 2);
  console.log(`    without sound: ${gapMs(segments, 0)} ms`);
  expect(gapMs(segments, 0)).toBeLessThan(GO_ON_MS_MAX);
});

test('without another microphone it says so, and goes on by itself when one is plugged in', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await installMicrophoneFaults(page);
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  await setMicrophoneError(page, 'NotFoundError');
  await unplug(page);
  await recordPage.expectState('error');
  await expect(alertOf(page)).toContainText('The microphone was disconnected');
  await expect(alertOf(page)).toContainText('Everything recorded until then is kept.');
  await expect(tryAgain(page)).toBeVisible();
  // The page's own few tries are over by then.
  await delay(6_000);
  await recordPage.expectState('error');
  await setMicrophoneError(page, undefined);
  await changeDevices(page);
  await recordPage.expectState('recording', GO_ON_MS_MAX);
  await expect(alertOf(page)).toBeHidden();
  await delay(2_000);
  const segments = await expectSegments(request, testInfo, await recordPage.stopAndSave(), 2);
  expect(gapMs(segments, 0)).toBeGreaterThan(6_000);
});

test('what was recorded before the microphone was lost can be saved as it is', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await installMicrophoneFaults(page);
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  await setMicrophoneError(page, 'NotAllowedError');
  await unplug(page);
  await recordPage.expectState('error');
  await expect(alertOf(page)).toContainText('The microphone was blocked');
  await expectSegments(request, testInfo, await recordPage.stopAndSave(), 1);
});

test('a permission that is taken back stops the sound, and giving it again goes on by itself', async ({
  launchOptions,
  server,
  request,
}, testInfo) => {
  // The stand-in for the browser's question allows everything: here the real permission decides.
  const args = (launchOptions.args ?? []).filter((arg) => arg !== '--use-fake-ui-for-media-stream');
  const browser = await chromium.launch({ ...launchOptions, args });
  const context = await browser.newContext({ baseURL: server.baseURL });
  const permissions = ['microphone'];
  await context.grantPermissions(permissions, { origin: server.baseURL });
  const page = await context.newPage();
  const recordPage = new RecordPage(page);
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  await context.clearPermissions();
  await recordPage.expectState('error');
  await expect(alertOf(page)).toContainText('The microphone was blocked');
  await expect(alertOf(page)).toContainText('Everything recorded until then is kept.');
  await context.grantPermissions(permissions, { origin: server.baseURL });
  await recordPage.expectState('recording', GO_ON_MS_MAX);
  await delay(2_000);
  await expectSegments(request, testInfo, await recordPage.stopAndSave(), 2);
  await browser.close();
});

test('another microphone can be chosen while recording', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(2_000);
  const choice = page.getByLabel('Microphone', { exact: true });
  const other = (await choice.locator('option').last().textContent()) as string;
  await choice.selectOption({ label: other });
  await expect(noticesOf(page)).toContainText(`The recording goes on with “${other}”`);
  await recordPage.expectState('recording');
  await delay(2_000);
  const segments = await expectSegments(request, testInfo, await recordPage.stopAndSave(), 2);
  console.log(`    without sound: ${gapMs(segments, 0)} ms`);
  expect(gapMs(segments, 0)).toBeLessThan(500);
});

test('a recording that is stopped while the microphone is changed leaves none open', async ({
  page,
  recordPage,
}) => {
  await installRecorderFaults(page);
  await installMicrophoneFaults(page);
  await recordPage.open();
  await recordPage.start();
  await delay(1_000);
  // The old recorder does not say that it has stopped, so the new microphone has to wait.
  await stallRecorder(page);
  await page.getByLabel('Microphone', { exact: true }).selectOption({ index: 2 });
  const states = (): Promise<string[]> =>
    page.evaluate(() => window.tracks.map((track) => track.readyState));
  await expect.poll(states).toEqual(['live', 'live']);
  await recordPage.stopButton.click();
  await recordPage.expectDone();
  expect(await states()).toEqual(['ended', 'ended']);
});

test('a chosen microphone that cannot be had changes nothing', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await installMicrophoneFaults(page);
  await recordPage.open();
  await recordPage.start();
  await setMicrophoneError(page, 'NotReadableError');
  const choice = page.getByLabel('Microphone', { exact: true });
  await choice.selectOption({ index: 2 });
  await expect(noticesOf(page)).toContainText('Nothing was changed: The microphone does not start');
  await delay(2_000);
  await expectSegments(request, testInfo, await recordPage.stopAndSave(), 1);
});

test('a microphone lost in a pause is replaced, and the pause goes on', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await installMicrophoneFaults(page);
  await recordPage.open();
  const startedAt = Date.now();
  await recordPage.start();
  await delay(2_000);
  await recordPage.pause();
  const pausedAt = Date.now();
  await unplug(page);
  await expect(noticesOf(page)).toContainText('The recording goes on with “');
  await recordPage.expectState('paused');
  await delay(1_500);
  const resumedAt = Date.now();
  await recordPage.resume();
  await delay(2_000);
  const id = await recordPage.stopAndSave();
  const recordedMs = pausedAt - startedAt + (Date.now() - resumedAt);
  const session = await getWholeSession(request, id);
  expect(session.tracks[0]!.segments).toHaveLength(2);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const fileMs = (pcm.samples.length / pcm.sampleRate) * 1000;
  expect(fileMs, 'nothing was recorded in the pause').toBeLessThan(recordedMs);
});

test('a microphone that the system mutes is told, until it is given back', async ({
  page,
  recordPage,
}) => {
  await installMicrophoneFaults(page);
  await recordPage.open();
  await recordPage.start();
  await setMuted(page, true);
  await expect(alertOf(page)).toContainText('Your system has muted the microphone');
  await recordPage.expectState('recording');
  await setMuted(page, false);
  await expect(alertOf(page)).toBeHidden();
});

for (const place of ['the test before the start', 'a recording', 'a recording with slow timers']) {
  test(`in ${place}, silence is told within 5 s and taken back`, async ({ page, recordPage }) => {
    await useToneInstead(page);
    if (place.endsWith('slow timers')) {
      await installSlowTimers(page);
    }
    await recordPage.open();
    if (place.startsWith('the test')) {
      await page.getByRole('button', { name: 'Test microphone' }).click();
      await expect(page.getByRole('button', { name: 'Stop test' })).toBeVisible();
    } else {
      await recordPage.start();
    }
    await delay(1_000);
    await expect(alertOf(page)).toBeHidden();
    await setToneLoudness(page, 0);
    await expect(alertOf(page)).toContainText('The microphone delivers no sound', {
      timeout: TOLD_MS_MAX,
    });
    await setToneLoudness(page, 1);
    await expect(alertOf(page)).toBeHidden({ timeout: 2_000 });
  });
}

test('a recorder that stands still is started again, and goes on', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await installRecorderFaults(page);
  await recordPage.open();
  await recordPage.start();
  await delay(3_000);
  await stallRecorder(page);
  await expect(noticesOf(page)).toContainText("Your browser's recorder stood still", {
    timeout: 8_000,
  });
  await recordPage.expectState('recording');
  await delay(3_000);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  const [first, second, ...others] = session.tracks[0]!.segments;
  expect(others).toEqual([]);
  expect(gapMs([first!, second!], 0)).toBeLessThan(6_000);
  const { pcm } = await fetchRecording(request, session, testInfo);
  // The microphone stays open: the tones go on where the recorder does.
  const account = accountForTones(pcm, {
    expectedPauses: [gapMs([first!, second!], 0)],
    pauseToleranceMs: 400,
  });
  expect(account.unexpected, describeAccount(account)).toEqual([]);
  expect(account.lostMs, describeAccount(account)).toBe(0);
});

test('another default of the system is told, and recording goes on with the microphone in use', async ({
  page,
  recordPage,
}) => {
  await page.addInitScript(() => {
    const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
    const renamed = (device: MediaDeviceInfo): MediaDeviceInfo =>
      Object.create(device, {
        label: { get: () => 'Default - Buds' },
        deviceId: { get: () => device.deviceId },
        kind: { get: () => device.kind },
      }) as MediaDeviceInfo;
    const state = { hasBuds: false };
    Object.assign(window, { system: state });
    navigator.mediaDevices.enumerateDevices = async () =>
      (await list()).map((device) =>
        state.hasBuds && device.kind === 'audioinput' && device.deviceId === 'default'
          ? renamed(device)
          : device,
      );
  });
  await recordPage.open();
  await recordPage.start();
  await page.evaluate(() => {
    (window as unknown as { system: { hasBuds: boolean } }).system.hasBuds = true;
  });
  await changeDevices(page);
  await expect(noticesOf(page)).toContainText('“Buds”');
  await recordPage.expectState('recording');
});

test('the screen is kept awake while recording, and no longer', async ({ page, recordPage }) => {
  await page.addInitScript(() => {
    const asked: string[] = [];
    const sentinels: WakeLockSentinel[] = [];
    Object.assign(window, { wakeLocks: asked, sentinels });
    const request = WakeLock.prototype.request;
    WakeLock.prototype.request = async function (kind) {
      asked.push('asked');
      const sentinel = await request.call(this, kind);
      sentinels.push(sentinel);
      sentinel.addEventListener('release', () => asked.push('released'));
      return sentinel;
    };
  });
  const seen = (): Promise<string[]> =>
    page.evaluate(() => (window as unknown as { wakeLocks: string[] }).wakeLocks);
  await recordPage.open();
  expect(await seen()).toEqual([]);
  await recordPage.start();
  await expect.poll(seen).toEqual(['asked']);

  // A browser takes it back while the page is hidden.
  await page.evaluate(async () => {
    const { sentinels } = window as unknown as { sentinels: WakeLockSentinel[] };
    await sentinels[0]?.release();
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await expect.poll(seen).toEqual(['asked', 'released', 'asked']);
  await recordPage.stopAndSave();
  await expect.poll(seen).toEqual(['asked', 'released', 'asked', 'released']);
});

test('a page that stood still for long says so in its log, and has lost nothing', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await recordPage.open();
  await recordPage.start();
  await delay(1_000);
  await page.evaluate(() => {
    const until = performance.now() + 10_500;
    while (performance.now() < until);
  });
  await delay(1_000);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  const events = await getEvents(request, session.id);
  const incidents = events.map(({ detail }) => detail['incident'] as { page_slept?: number });
  const slept = incidents.map((incident) => incident?.page_slept ?? 0);
  expect(Math.max(...slept)).toBeGreaterThanOrEqual(10_000);
  const { pcm } = await fetchRecording(request, session, testInfo);
  const account = accountForTones(pcm);
  expect(account.lostMs, describeAccount(account)).toBe(0);
  expect(account.jumps, describeAccount(account)).toEqual([]);
});
