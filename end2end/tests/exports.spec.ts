/** A recording in other forms: made when asked for on its page, saved, and the same sound. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { APIRequestContext, Locator, Page, TestInfo } from '@playwright/test';
import {
  fetchRecording,
  getEvents,
  getSession,
  getWholeSession,
  sha256,
  type CompletedSession,
  type SessionEvent,
} from '../lib/api.ts';
import { decode, decodeInTime } from '../lib/audio.ts';
import { ffmpeg, probe } from '../lib/ffmpeg.ts';
import { lookAt } from '../lib/look.ts';
import { UNFILLED_PACKET_MS } from '../lib/loss.ts';
import { accountForTones, describeAccount, type HeardSlot, type Hole, type Pcm } from '../lib/tones.ts';
import { expect, test as base } from '../lib/test.ts';
import { readZip } from '../lib/zip.ts';

const PART_MS = 3_000;
const PAUSE_MS = 2_000;
const PAUSE_TOLERANCE_MS = 100;
/** The click and the recorder are not at the same moment, which only the session's log tells. */
const CLICK_TOLERANCE_MS = 400;
/** MP3 has its own padding, and blurs the edges of tones. */
const MP3_TOLERANCE_MS = 60;
/** Edges of tones are timed to a few milliseconds, and these may add up. */
const TONE_DRIFT_MS_MAX = 20;
/** Packets that say only that there is nothing to hear are this small, and no others. */
const SILENCE_BYTES_MAX = 16;
/** A codec's look-ahead may be cut away or not. */
const LENGTH_TOLERANCE_MS = 10;

interface ExportEntry {
  format: string;
  state: string;
  reason?: string;
  bytes?: number;
  url: string;
}

interface Recorded {
  session: CompletedSession;
  bytes: Buffer;
  pcm: Pcm;
  /** How long it was paused, as the session's log has it. */
  pausedMs: number;
  /** "Other formats", opened. */
  formats: Locator;
}

/** Tones with a pause of 2 s among them; and the session's page. */
const test = base.extend<{ recorded: Recorded }>({
  recorded: async ({ page, request, recordPage }, use, testInfo) => {
    await recordPage.open();
    await recordPage.start();
    await delay(PART_MS);
    await recordPage.pause();
    await delay(PAUSE_MS);
    await recordPage.resume();
    await delay(PART_MS);
    const session = await getWholeSession(request, await recordPage.stopAndSave());
    const { bytes, pcm } = await fetchRecording(request, session, testInfo);
    const events = await getEvents(request, session.id);
    const timeOf = (kind: string): number =>
      events.find((event) => event.kind === kind)?.timeline_ms ?? NaN;
    const pausedMs = timeOf('pause_over') - timeOf('paused');
    expect(Math.abs(pausedMs - PAUSE_MS)).toBeLessThan(CLICK_TOLERANCE_MS);
    await page.goto(`/sessions/${session.id}`);
    await use({ session, bytes, pcm, pausedMs, formats: await openFormats(page) });
  },
});

async function openFormats(page: Page): Promise<Locator> {
  const formats = page.locator('details').filter({ hasText: 'Other formats' });
  await formats.locator('summary').click();
  return formats;
}

const rowOf = (formats: Locator, name: string): Locator =>
  formats.getByRole('listitem').filter({ has: formats.page().getByText(name, { exact: true }) });

async function listExports(request: APIRequestContext, id: string): Promise<ExportEntry[]> {
  const response = await request.get(`/api/sessions/${id}/exports`);
  expect(response.status()).toBe(200);
  return ((await response.json()) as { exports: ExportEntry[] }).exports;
}

interface Saved {
  path: string;
  bytes: Buffer;
  /** Under which the browser saves it. */
  name: string;
  /** All that its line said meanwhile, in order. */
  told: string[];
}

/** Follows the link of a form, and waits for the file. */
async function saveAs(formats: Locator, name: string, testInfo: TestInfo): Promise<Saved> {
  const row = rowOf(formats, name);
  const status = row.getByRole('status');
  const told = await status.evaluateHandle((element) => {
    const words: string[] = [];
    new MutationObserver(() => words.push(element.textContent ?? '')).observe(element, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    return words;
  });
  const coming = formats.page().waitForEvent('download');
  await row.getByRole('link').click();
  const download = await coming;
  await expect(status).toHaveText('Ready.');
  const path = testInfo.outputPath(download.suggestedFilename());
  await download.saveAs(path);
  return {
    path,
    bytes: await readFile(path),
    name: download.suggestedFilename(),
    told: await told.jsonValue(),
  };
}

interface Packet {
  bytes: number;
  digest: string;
}

/** The packets of the sound, as they lie in the file. */
async function packetsOf(path: string): Promise<Packet[]> {
  const listed = await ffmpeg([
    '-i', path, '-map', '0:a:0', '-c', 'copy', '-f', 'framemd5', 'pipe:1',
  ]);
  const lines = listed.toString().split('\n');
  const packets = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const [, , , , bytes, digest] = line.split(',').map((field) => field.trim());
    return { bytes: Number(bytes), digest: digest ?? '' };
  });
  expect(packets.length, `packets in ${path}`).toBeGreaterThan(0);
  return packets;
}

/** What the longer one has besides all the packets of the other, which must be there in order. */
function packetsBetween(longer: Packet[], all: Packet[]): Packet[] {
  let next = 0;
  const between = longer.filter(({ digest }) => {
    const isNext = digest === all[next]?.digest;
    next += isNext ? 1 : 0;
    return !isNext;
  });
  expect(next, 'packets of the recording, untouched and in order').toBe(all.length);
  return between;
}

/** The tones with the pause among them; what is missing or moved elsewhere is at most so long. */
function expectSameSound(pcm: Pcm, { pausedMs }: Recorded, toleranceMs: number): void {
  const account = accountForTones(pcm, {
    expectedPauses: [pausedMs],
    pauseToleranceMs: CLICK_TOLERANCE_MS,
  });
  const told = describeAccount(account);
  expect(account.jumps.filter(({ expected }) => expected), told).toHaveLength(1);
  const moved = account.unexpected.filter(({ lostMs }) => Math.abs(lostMs) > toleranceMs);
  expect(moved, told).toEqual([]);
  const holesMs = account.holes.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  expect(holesMs, told).toBeLessThanOrEqual(toleranceMs);
  expect(Math.abs(account.driftMs), told).toBeLessThan(TONE_DRIFT_MS_MAX);
}

/**
 * How much sound from before the pause stands behind this hole, or the other way round. A tone that
 * stands on both sides of it is heard as one.
 */
function misplacedAt(hole: Hole, slots: HeardSlot[]): number {
  const numbers = slots.map(({ slot }) => slot).toSorted((one, other) => one - other);
  const steps = numbers.slice(1).map((slot, i) => slot - numbers[i]!);
  const goesOnWith = numbers[steps.indexOf(Math.max(...steps)) + 1]!;
  return slots
    .map(({ slot, fromMs, toMs }) =>
      slot < goesOnWith
        ? toMs - Math.max(fromMs, hole.toMs)
        : Math.min(toMs, hole.fromMs) - fromMs,
    )
    .reduce((sum, misplacedMs) => sum + Math.max(0, misplacedMs), 0);
}

const lengthMs = ({ samples, sampleRate }: Pcm): number => (samples.length * 1000) / sampleRate;

test('a session of sound offers every form of sound, and the page what the server offers', async ({
  page,
  request,
  recorded,
}) => {
  const { session, formats } = recorded;
  const offered = await listExports(request, session.id);
  expect(offered.map(({ format, state }) => [format, state])).toEqual([
    ['timeline', 'not_made'],
    ['ogg', 'not_made'],
    ['mp3', 'not_made'],
    ['wav', 'not_made'],
    ['mp4', 'unavailable'],
    ['zip', 'not_made'],
  ]);
  expect(offered.find(({ format }) => format === 'mp4')?.reason).toContain('no picture');
  // Nobody misses the picture of a voice.
  const names = ['With all gaps', 'Ogg', 'MP3', 'WAV', 'ZIP'];
  await expect(formats.getByRole('link')).toHaveText(names);
  for (const [i, { url }] of offered.filter(({ format }) => format !== 'mp4').entries()) {
    await expect(formats.getByRole('link').nth(i)).toHaveAttribute('href', `${url}?download=1`);
  }
  await lookAt(page, 'exports');

  const unknown = await request.get(`/api/sessions/${session.id}/exports/flac`);
  expect(unknown.status()).toBe(404);
});

test('a recording that goes on cannot be had in other forms yet', async ({
  page,
  request,
  recordPage,
}) => {
  await recordPage.open();
  await recordPage.start();
  const id = await recordPage.sessionId();
  await expect(async () => {
    expect((await getSession(request, id)).status).toBe('active');
  }).toPass();
  expect((await request.get(`/api/sessions/${id}/exports`)).status()).toBe(409);
  expect((await request.post(`/api/sessions/${id}/exports/ogg`)).status()).toBe(409);
  await recordPage.stopAndSave();
  await page.goto(`/sessions/${id}`);
  await expect(page.getByText('Other formats')).toBeVisible();
});

test('Ogg holds the very packets that were recorded', async ({ recorded }, testInfo) => {
  const { formats, pcm } = recorded;
  const { path, name } = await saveAs(formats, 'Ogg', testInfo);
  expect(name).toMatch(/^holdfast-\d{4}-\d\d-\d\d-\w+\.ogg$/);
  const { format, streams } = await probe(path);
  expect(format.format_name).toBe('ogg');
  expect(streams.map(({ codec_name }) => codec_name)).toEqual(['opus']);
  expect(await packetsOf(path)).toEqual(await packetsOf(testInfo.outputPath('recording.webm')));
  const decoded = await decode(path);
  expectSameSound(decoded, recorded, 0);
  expect(Math.abs(lengthMs(decoded) - lengthMs(pcm))).toBeLessThan(LENGTH_TOLERANCE_MS);
});

test('MP3 holds the same sound, and is told of while it is made', async ({
  request,
  recorded,
}, testInfo) => {
  const { session, formats, pcm } = recorded;
  const { path, bytes, name, told } = await saveAs(formats, 'MP3', testInfo);
  expect(name).toMatch(/\.mp3$/);
  const { format, streams } = await probe(path);
  expect(format.format_name).toBe('mp3');
  expect(streams.map(({ codec_name }) => codec_name)).toEqual(['mp3']);
  const decoded = await decode(path);
  expectSameSound(decoded, recorded, MP3_TOLERANCE_MS);
  expect(Math.abs(lengthMs(decoded) - lengthMs(pcm))).toBeLessThan(MP3_TOLERANCE_MS);
  expect(told[0]).toMatch(/^Being made(…|: \d+ %)$/);
  expect(told.at(-1)).toBe('Ready.');

  const made = (await listExports(request, session.id)).find(({ format }) => format === 'mp3');
  expect(made).toMatchObject({ state: 'ready', bytes: bytes.length });
  const range = await request.get(made!.url, { headers: { Range: 'bytes=100-199' } });
  expect(range.status()).toBe(206);
  expect(range.headers()['content-type']).toBe('audio/mpeg');
  expect((await range.body()).equals(bytes.subarray(100, 200))).toBe(true);
});

test('WAV holds the sound sample by sample', async ({ recorded }, testInfo) => {
  const { formats, pcm } = recorded;
  const { path, name } = await saveAs(formats, 'WAV', testInfo);
  expect(name).toMatch(/\.wav$/);
  const { format, streams } = await probe(path);
  expect(format.format_name).toBe('wav');
  expect(streams.map(({ codec_name }) => codec_name)).toEqual(['pcm_s16le']);
  const decoded = await decode(path);
  expectSameSound(decoded, recorded, 0);
  expect(Math.abs(lengthMs(decoded) - lengthMs(pcm))).toBeLessThan(LENGTH_TOLERANCE_MS);
});

test('with all gaps the pause is as long as it was, and silent, and the rest is in step', async ({
  recorded,
}, testInfo) => {
  const { formats, pausedMs, session } = recorded;
  const { path, name } = await saveAs(formats, 'With all gaps', testInfo);
  expect(name).toMatch(/\.webm$/);
  const { format, streams } = await probe(path);
  expect(format.format_name).toContain('webm');
  expect(streams.map(({ codec_name }) => codec_name)).toEqual(['opus']);
  const recording = testInfo.outputPath('recording.webm');
  const between = packetsBetween(await packetsOf(path), await packetsOf(recording));
  for (const { bytes } of between) {
    expect(bytes, 'nothing but silence is added').toBeLessThanOrEqual(SILENCE_BYTES_MAX);
  }

  const [longer, tight] = [await decodeInTime(path), await decodeInTime(recording)];
  const addedMs = lengthMs(longer) - lengthMs(tight);
  // What passes until the first recorder runs is a gap like any other.
  const beginsMs = session.tracks[0]!.segments[0]!.started_at_ms;
  expect(Math.abs(addedMs - pausedMs - beginsMs)).toBeLessThan(PAUSE_TOLERANCE_MS);
  const shown = Number(format.duration) * 1000;
  expect(Math.abs(shown - lengthMs(longer)), 'the file says so too').toBeLessThan(50);

  // The microphone went on while the recorder was paused. So its code is in step again after it.
  const account = accountForTones(longer);
  const told = describeAccount(account);
  expect(account.holes, told).toHaveLength(1);
  const hole = account.holes[0]!;
  const { fromMs, toMs } = hole;
  const codeMs = account.lastEdgeCodeMs - account.firstEdgeCodeMs;
  const outOfStepMs = codeMs - (account.lastEdgeMs - account.firstEdgeMs);
  expect(Math.abs(outOfStepMs), told).toBeLessThan(PAUSE_TOLERANCE_MS);
  const misplacedMs = misplacedAt(hole, account.slots);
  expect(misplacedMs, told).toBeLessThanOrEqual(UNFILLED_PACKET_MS);
  console.log(
    `    out of step by ${Math.round(outOfStepMs)} ms, ` +
      `${Math.round(misplacedMs)} ms on the other side of the pause`,
  );
  expect(Math.abs(toMs - fromMs - pausedMs), told).toBeLessThan(PAUSE_TOLERANCE_MS);
  const at = (ms: number): number => Math.round((ms * longer.sampleRate) / 1000);
  const inside = longer.samples.subarray(at(fromMs + 100), at(toMs - 100));
  expect(inside.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)).toBeLessThan(0.01);
});

test('ZIP holds the recording byte for byte, and all that is known of the session', async ({
  request,
  recorded,
}, testInfo) => {
  const { session, bytes, formats } = recorded;
  const saved = await saveAs(formats, 'ZIP', testInfo);
  expect(saved.name).toMatch(/\.zip$/);
  const entries = readZip(saved.bytes);
  expect([...entries.keys()].toSorted()).toEqual(['events.json', 'recording.webm', 'session.json']);
  expect(entries.get('recording.webm')?.equals(bytes)).toBe(true);
  expect(sha256(entries.get('recording.webm')!)).toBe(session.receipt.digest);
  const json = (name: string): unknown => JSON.parse(entries.get(name)!.toString());
  expect(json('session.json')).toMatchObject({
    id: session.id,
    status: 'completed',
    duration_ms: session.duration_ms,
    receipt: session.receipt,
    missing: [],
  });
  // What happened since is not in it.
  const { events } = json('events.json') as { events: SessionEvent[] };
  expect(events.map(({ kind }) => kind)).toContain('recording_made');
  expect(events).toEqual((await getEvents(request, session.id)).slice(0, events.length));
});

test('what is there already is saved at once, and not made again', async ({
  page,
  request,
  recorded,
}, testInfo) => {
  const { session } = recorded;
  const first = await saveAs(recorded.formats, 'Ogg', testInfo);
  await page.reload();
  const second = await saveAs(await openFormats(page), 'Ogg', testInfo);
  expect(second.told).toEqual(['Ready.']);
  expect(second.bytes.equals(first.bytes)).toBe(true);
  const made = (await listExports(request, session.id)).find(({ format }) => format === 'ogg');
  expect(made?.state).toBe('ready');
});

test('the page tells how much is made, and why it could not be', async ({ page, recorded }) => {
  const { session, formats } = recorded;
  const list = `/api/sessions/${session.id}/exports`;
  const answers = [
    { state: 'making', progress: 0.42 },
    { state: 'failed', reason: 'The disk burns.' },
  ];
  await page.route(`**${list}/wav`, (route) =>
    route.fulfill({ status: 202, json: { format: 'wav', state: 'making', progress: 0 } }),
  );
  await page.route(`**${list}`, (route) =>
    route.fulfill({ json: { exports: [{ format: 'wav', ...(answers.shift() ?? {}) }] } }),
  );
  const row = rowOf(formats, 'WAV');
  await row.getByRole('link').click();
  const status = row.getByRole('status');
  await expect(status).toHaveText('Being made…');
  await expect(status).toHaveText('Being made: 42 %');
  await expect(status).toHaveText('The disk burns.');

  await page.unroute(`**${list}/wav`);
  await page.route(`**${list}/wav`, (route) =>
    route.fulfill({ status: 503, json: { detail: 'Too many exports are being made; try again.' } }),
  );
  await row.getByRole('link').click();
  await expect(status).toHaveText('Too many exports are being made; try again.');
});

test.describe('on a server without ffmpeg', () => {
  test.use({ serverSurroundings: ['env', 'PATH=/nowhere'] });

  test('what needs it is listed with the reason, and the rest can be had', async ({
    page,
    request,
    recorded,
  }, testInfo) => {
    const { session, formats } = recorded;
    await expect(formats.getByRole('link')).toHaveText(['With all gaps', 'Ogg', 'ZIP']);
    const reason = 'This needs ffmpeg, which is not installed on the server.';
    const offered = await listExports(request, session.id);
    for (const [name, format] of [['MP3', 'mp3'], ['WAV', 'wav']] as const) {
      const row = rowOf(formats, name);
      await expect(row).toContainText(reason);
      await expect(row.getByRole('link')).toHaveCount(0);
      const entry = offered.find((one) => one.format === format);
      expect(entry).toMatchObject({ state: 'unavailable', reason });
      expect((await request.post(entry!.url)).status()).toBe(501);
    }
    await lookAt(page, 'exports-without-ffmpeg');
    const { path } = await saveAs(formats, 'Ogg', testInfo);
    expectSameSound(await decode(path), recorded, 0);
  });
});
