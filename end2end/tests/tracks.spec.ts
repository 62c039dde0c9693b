/**
 * Every kind of session, reloaded in the middle: its tracks are kept apart, stand beside each other
 * in one recording, and lack nothing of what was captured.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { APIRequestContext, Page, TestInfo } from '@playwright/test';
import {
  apartness,
  burstsOf,
  flipsToWhite,
  INTERVAL_TOLERANCE_MS,
  partsOf,
  readBrightness,
  scheduleAt,
  wholeOnsets,
  type Part,
} from '../lib/alignment.ts';
import {
  getEvents,
  getFrames,
  getWholeSession,
  save,
  saveRecording,
  sha256,
  type CompletedSession,
} from '../lib/api.ts';
import { decodeInTime } from '../lib/audio.ts';
import { probe } from '../lib/ffmpeg.ts';
import { UNFILLED_PACKET_MS } from '../lib/loss.ts';
import { lookAt } from '../lib/look.ts';
import { lengthOf } from '../lib/player.ts';
import type { RecordPage } from '../lib/record-page.ts';
import {
  BARS_STEP_MS,
  endSharing,
  installSources,
  PICTURE,
  PITCH_HZ,
  readAskings,
  readBars,
  readClick,
  readPageEnd,
  type Asking,
} from '../lib/sources.ts';
import { expect, test } from '../lib/test.ts';
import type { Pcm } from '../lib/tones.ts';
import { readPeaks } from '../lib/waveform.ts';
import { readZip } from '../lib/zip.ts';

const PARTS_MS = [6_000, 4_000] as const;
/** Bursts come every 650 ms on average; those at the ends of a part may be cut. */
const BURSTS_MIN = PARTS_MS.map((partMs) => Math.floor(partMs / 650) - 4);
const PAUSE_MS = 1_500;
const SHARED_MS = 4_000;
const APART_MS_MAX = 40;
/** So much single bursts stray within a part: by the stamps that a busy browser gives its packets. */
const STRAY_MS_MAX = INTERVAL_TOLERANCE_MS;
/** A recorder of pictures drops some while its encoder starts. */
const PICTURES_START_MS = 1_000;
/**
 * Of the picture the recorder takes 30 a second. A flip shows in the first one that is taken after
 * it, so it is seen up to a picture later than it was, and never earlier.
 */
const PICTURE_MS = 1_000 / PICTURE.framesPerSecond;
/**
 * Sound that a page makes takes its way through the browser's mixer before a recorder has it; a
 * picture that the page draws at the same moment does not. Measured with both in one recorder,
 * whose tracks are the browser's to align: the picture is early by 26 to 61 ms.
 */
const PICTURE_LEAD_MS = 40;
/** What does not fill a packet, one that is on its way, and how well the end is timed. */
const END_LOST_MS_MAX = UNFILLED_PACKET_MS + 60 + INTERVAL_TOLERANCE_MS;
/** A page that is replaced lives on for a while, and one that is told to stop hears the rest. */
const LIVED_ON_MS_MAX = 1_000;
const STILL_EVERY_MS = 2_000;
/** A timer is late now and then. */
const STILL_LATE_MS_MAX = 500;
/** Its bars are that old at most, it is one of the last two pictures, and a JPEG takes its time. */
const STILL_APART_MS_MAX = 100 + BARS_STEP_MS;

interface Kind {
  /** As the page calls it. */
  choice: string;
  /** With the pitch that the first sound of each is known by. */
  tracks: { kind: string; label: string; pitchHz: number }[];
  /** The browser asks what is to be shared. */
  isShared: boolean;
  hasFilm: boolean;
}

const DESK = { kind: 'microphone', label: 'Desk microphone', pitchHz: PITCH_HZ.desk };
const KINDS: Kind[] = [
  {
    choice: 'Sound and camera',
    // One recorder for both: whoever speaks moves their lips.
    tracks: [{ kind: 'camera', label: 'Desk microphone · Front camera', pitchHz: PITCH_HZ.desk }],
    isShared: false,
    hasFilm: true,
  },
  {
    choice: 'Two microphones',
    tracks: [DESK, { kind: 'microphone', label: 'Lapel microphone', pitchHz: PITCH_HZ.lapel }],
    isShared: false,
    hasFilm: false,
  },
  {
    choice: "Sound and this computer's sound",
    tracks: [
      DESK,
      { kind: 'system_audio', label: 'Sound of the computer', pitchHz: PITCH_HZ.computer },
    ],
    isShared: true,
    hasFilm: false,
  },
  {
    choice: 'Sound and screen',
    // Whoever shares a screen with its sound has both recorded.
    tracks: [DESK, { kind: 'screen', label: 'Whole screen', pitchHz: PITCH_HZ.computer }],
    isShared: true,
    hasFilm: true,
  },
];

interface Recorded {
  session: CompletedSession;
  /** How far the schedule had come when each part was told to end. */
  endedAtMs: [number, number];
  /** What each page asked for. */
  askings: [Asking[], Asking[]];
}

/** Where no second microphone is named, the page takes the one that is not the first. */
async function startKind(
  page: Page,
  recordPage: RecordPage,
  choice: string,
  secondMicrophone?: string,
): Promise<void> {
  await installSources(page);
  await recordPage.open();
  await recordPage.choose(choice);
  if (secondMicrophone !== undefined) {
    await recordPage.secondMicrophone.selectOption({ label: secondMicrophone });
  }
  await recordPage.start();
}

/** Records, reloads, goes on, and stops. */
async function recordWithReload(
  page: Page,
  request: APIRequestContext,
  recordPage: RecordPage,
  choice: string,
): Promise<Recorded> {
  page.on('dialog', (dialog) => void dialog.accept());
  const second = choice === 'Two microphones' ? 'Lapel microphone' : undefined;
  await startKind(page, recordPage, choice, second);
  await delay(PARTS_MS[0]);
  const firstAskings = await readAskings(page);
  await page.reload();
  const firstEndMs = await readPageEnd(page);
  await recordPage.resumeRecording();
  await delay(PARTS_MS[1]);
  const secondAskings = await readAskings(page);
  await recordPage.stopButton.click();
  const secondEndMs = await readClick(page);
  const session = await getWholeSession(request, await recordPage.expectDone());
  return {
    session,
    endedAtMs: [firstEndMs, secondEndMs],
    askings: [firstAskings, secondAskings],
  };
}

/** Where in the recording the second part begins: when all tracks have ended their first. */
function seamOf({ tracks }: CompletedSession): number {
  const firsts = tracks.map(({ segments }) => segments[0]!).filter((first) => first.duration_ms);
  const begins = Math.min(...firsts.map((first) => first.started_at_ms));
  return Math.max(...firsts.map((first) => first.started_at_ms + first.duration_ms)) - begins;
}

/** The two parts of a track in which this pitch is heard, and no other one. */
function partsAt(pcm: Pcm, pitchHz: number, seamMs: number, name: string): [Part, Part] {
  for (const other of Object.values(PITCH_HZ)) {
    if (other !== pitchHz) {
      expect(burstsOf(pcm, other), `${other} Hz in ${name}`).toEqual([]);
    }
  }
  const parts = partsOf(wholeOnsets(burstsOf(pcm, pitchHz), [seamMs]));
  const told = parts.map(({ onsetsMs }) => onsetsMs.map(Math.round).join(' ')).join(' | ');
  expect(parts, `what was captured of ${name} in one go: ${told}`).toHaveLength(2);
  parts.forEach(({ onsetsMs, strayMs }, i) => {
    expect(onsetsMs.length, `bursts in part ${i + 1} of ${name}`).toBeGreaterThan(BURSTS_MIN[i]!);
    expect(strayMs, `part ${i + 1} of ${name}`).toBeLessThan(INTERVAL_TOLERANCE_MS);
  });
  return parts as [Part, Part];
}

const lengthMs = ({ samples, sampleRate }: Pcm): number => (samples.length * 1000) / sampleRate;

/** Every track has a file of its own, in which nothing is missing up to the end of either part. */
async function expectWholeTracks(
  request: APIRequestContext,
  { session, endedAtMs }: Recorded,
  kind: Kind,
  testInfo: TestInfo,
): Promise<void> {
  for (const [number, track] of session.tracks.entries()) {
    const path = testInfo.outputPath(`track-${number}.webm`);
    await save(request, track.recording_url!, path);
    const seamMs = track.segments[0]!.duration_ms;
    const pcm = await decodeInTime(path);
    const { pitchHz, label } = kind.tracks[number]!;
    const [first, second] = partsAt(pcm, pitchHz, seamMs, label);
    const lostMs = [
      endedAtMs[0] - scheduleAt(first, seamMs),
      endedAtMs[1] - scheduleAt(second, lengthMs(pcm)),
    ];
    console.log(`    ${label}: ends ${lostMs.map(Math.round).join(' and ')} ms before its parts`);
    for (const lost of lostMs) {
      expect(lost, `lost at the end of ${label}`).toBeLessThan(END_LOST_MS_MAX);
      expect(lost, `more of ${label} than there was`).toBeGreaterThan(-LIVED_ON_MS_MAX);
    }
  }
}

function medianOf(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** `laterMs`: by so much more one may be seen after it was there. */
function expectTogether(apartMs: number[], name: string, laterMs = 0): void {
  const median = medianOf(apartMs);
  expect(median, name).toBeGreaterThanOrEqual(-APART_MS_MAX);
  expect(median, name).toBeLessThanOrEqual(APART_MS_MAX + laterMs);
  const strays = apartMs.map((apart) => Math.abs(apart - median));
  expect(Math.max(...strays), name).toBeLessThanOrEqual(STRAY_MS_MAX + laterMs);
}

/** The onsets of all sounds of the recording, and the flips of its picture, come together. */
async function expectAligned(path: string, seamMs: number, kind: Kind): Promise<void> {
  const sounds = await Promise.all(
    kind.tracks.map(async ({ pitchHz, label }, number) =>
      partsAt(await decodeInTime(path, number), pitchHz, seamMs, label),
    ),
  );
  const [reference, ...others] = sounds;
  const flips = kind.hasFilm ? flipsToWhite(await readBrightness(path)) : [];
  for (const [i, part] of reference!.entries()) {
    for (const [number, parts] of others.entries()) {
      const onsets = parts.flatMap(({ onsetsMs }) => onsetsMs);
      const { apartMs, aloneMs } = apartness(part, onsets);
      const name = `${kind.tracks[number + 1]!.label}, part ${i + 1}`;
      console.log(`    ${name}: ${apartMs.map(Math.round).join(', ')} ms apart`);
      expect(aloneMs, `bursts that only one track has: ${name}`).toEqual([]);
      expectTogether(apartMs, name);
    }
    if (kind.hasFilm) {
      const settledMs = part.onsetsMs[0]! + PICTURES_START_MS;
      const settled = { ...part, onsetsMs: part.onsetsMs.filter((at) => at >= settledMs) };
      const { apartMs: measuredMs, aloneMs } = apartness(settled, flips);
      const apartMs = measuredMs.map((apart) => apart + PICTURE_LEAD_MS);
      const name = `picture, part ${i + 1}`;
      console.log(`    ${name}: ${apartMs.map(Math.round).join(', ')} ms apart`);
      expect(aloneMs, 'bursts without a flip, and flips without a burst').toEqual([]);
      expectTogether(apartMs, name, PICTURE_MS);
    }
  }
}

for (const kind of KINDS) {
  test(`${kind.choice}: the tracks are whole and in step, before a reload and after it`, async ({
    page,
    request,
    recordPage,
  }, testInfo) => {
    const recorded = await recordWithReload(page, request, recordPage, kind.choice);
    const { session, askings } = recorded;
    const known = session.tracks.map(({ kind, label }) => ({ kind, label }));
    expect(known).toEqual(kind.tracks.map(({ kind, label }) => ({ kind, label })));
    for (const { segments } of session.tracks) {
      expect(segments).toHaveLength(2);
    }
    const sharings = askings.map((of) => of.filter(({ what }) => what === 'getDisplayMedia'));
    expect(sharings.map((of) => of.length)).toEqual(kind.isShared ? [1, 1] : [0, 0]);
    if (kind.isShared) {
      expect(sharings[0]![0]!.isInsideClick, 'asked inside the click').toBe(true);
    }

    const path = await saveRecording(request, session, testInfo);
    const { format, streams } = await probe(path);
    expect(format.format_name).toContain('webm');
    const sounds = streams.filter(({ codec_type }) => codec_type === 'audio');
    const films = streams.filter(({ codec_type }) => codec_type === 'video');
    expect(sounds).toHaveLength(kind.tracks.length);
    expect(films).toHaveLength(kind.hasFilm ? 1 : 0);
    for (const { width, height } of films) {
      expect({ width, height }).toEqual({ width: PICTURE.width, height: PICTURE.height });
    }
    if (kind.tracks.length > 1) {
      const titles = streams.map(({ tags }) => tags?.['title'] ?? '').join('; ');
      for (const { label } of kind.tracks) {
        expect(titles, 'each track is named').toContain(label);
      }
    }
    await expectWholeTracks(request, recorded, kind, testInfo);
    await expectAligned(path, seamOf(session), kind);

    for (const [number, { label }] of kind.tracks.entries()) {
      const address = `/api/sessions/${session.id}/waveform?track=${number}`;
      const { buckets } = await readPeaks(await request.get(address));
      const highest = Math.max(...buckets.map(({ high }) => high));
      expect(highest / 128, `the waveform of ${label}`).toBeGreaterThan(0.2);
    }

    await page.goto(`/sessions/${session.id}`);
    await expect(page.getByRole('slider', { name: 'Place in the recording' }).first()).toBeVisible();
    const name = `tracks-${kind.choice.replaceAll(/\W+/g, '-').toLowerCase()}`;
    await lookAt(page, name);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await lookAt(page, `${name}-dark-390`);
  });
}

for (const kind of KINDS.filter(({ tracks }) => tracks.length > 1)) {
  test(`${kind.choice}: a pause is cut out of all tracks alike`, async ({
    page,
    request,
    recordPage,
  }, testInfo) => {
    await startKind(page, recordPage, kind.choice);
    await delay(PARTS_MS[0]);
    await recordPage.pause();
    await delay(PAUSE_MS);
    await recordPage.resume();
    await delay(PARTS_MS[1]);
    const session = await getWholeSession(request, await recordPage.stopAndSave());
    const events = await getEvents(request, session.id);
    const pausedAt = events.find((event) => event.kind === 'paused')?.timeline_ms ?? NaN;
    const begins = session.tracks.map(({ segments }) => segments[0]!.started_at_ms);
    const path = await saveRecording(request, session, testInfo);
    await expectAligned(path, pausedAt - Math.min(...begins), kind);
  });
}

test('a player that plays one sound alone hears both microphones', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await startKind(page, recordPage, 'Two microphones');
  await delay(PARTS_MS[1]);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  const mixed = testInfo.outputPath('mixed.webm');
  // It is made once the receipt is out: nobody waits for it.
  await expect(async () => {
    await save(request, `/api/sessions/${session.id}/playback`, mixed);
    const { streams } = await probe(mixed);
    expect(streams.map(({ codec_name }) => codec_name)).toEqual(['opus', 'opus', 'opus']);
  }).toPass({ timeout: 20_000 });
  const pcm = await decodeInTime(mixed, 0);
  const [desk] = partsOf(wholeOnsets(burstsOf(pcm, PITCH_HZ.desk)));
  expect(desk!.onsetsMs.length).toBeGreaterThan(BURSTS_MIN[1]!);
  const { apartMs, aloneMs } = apartness(desk!, wholeOnsets(burstsOf(pcm, PITCH_HZ.lapel)));
  expect(aloneMs).toEqual([]);
  expectTogether(apartMs, 'both microphones');

  await page.goto(`/sessions/${session.id}`);
  const player = page.getByLabel('Recording', { exact: true });
  await expect(player).toHaveAttribute('src', `/api/sessions/${session.id}/playback`);
  expect(Math.abs((await lengthOf(player)) - lengthMs(pcm) / 1000)).toBeLessThan(0.1);
});

test('Sound and pictures: a picture every 2 s, each of the moment that it says', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  const { session } = await recordWithReload(page, request, recordPage, 'Sound and pictures');
  expect(session.tracks.map(({ kind }) => kind)).toEqual(['microphone', 'stills']);
  const path = await saveRecording(request, session, testInfo);
  const { streams } = await probe(path);
  expect(streams.map(({ codec_type }) => codec_type), 'the sound is all there is to play').toEqual([
    'audio',
  ]);
  const seamMs = session.tracks[0]!.segments[0]!.duration_ms;
  const parts = partsAt(await decodeInTime(path), PITCH_HZ.desk, seamMs, 'the sound');

  const frames = await getFrames(request, session.id);
  expect(frames.map(({ number }) => number)).toEqual(frames.map((_, i) => i));
  const stills: { atMs: number; placeMs: number; barsMs: number }[] = [];
  const jpegs: Buffer[] = [];
  for (const { number, at_ms, place_ms } of frames) {
    const address = `/api/sessions/${session.id}/frames/${number}.jpg`;
    expect((await request.head(address)).headers()['content-type']).toBe('image/jpeg');
    const jpeg = testInfo.outputPath(`${number}.jpg`);
    jpegs.push(await save(request, address, jpeg));
    const [picture] = (await probe(jpeg)).streams;
    const { codec_name, width, height } = picture!;
    const { width: cameraWidth, height: cameraHeight } = PICTURE;
    expect({ codec_name, width, height }).toEqual({
      codec_name: 'mjpeg',
      width: cameraWidth,
      height: cameraHeight,
    });
    stills.push({ atMs: at_ms, placeMs: place_ms, barsMs: await readBars(jpeg) });
  }

  // The schedule begins anew with the second page.
  const second = stills.findIndex(({ barsMs }, i) => i > 0 && barsMs < stills[i - 1]!.barsMs);
  expect(second, 'pictures of both pages').toBeGreaterThan(0);
  for (const [i, of] of [stills.slice(0, second), stills.slice(second)].entries()) {
    expect(of.length).toBeGreaterThanOrEqual(PARTS_MS[i]! / STILL_EVERY_MS);
    const told = `bars (at, place): ${of
      .map(({ atMs, placeMs, barsMs }) => `${barsMs} (${atMs}, ${placeMs})`)
      .join(', ')}`;
    console.log(`    part ${i + 1}: ${told}`);
    for (const [n, still] of of.entries()) {
      const apartMs = still.barsMs - scheduleAt(parts[i]!, still.placeMs);
      expect(Math.abs(apartMs), `in the recording: ${told}`).toBeLessThan(STILL_APART_MS_MAX);
      const before = of[n - 1];
      if (before) {
        const passedMs = still.atMs - before.atMs;
        expect(passedMs).toBeGreaterThan(0);
        expect(passedMs).toBeLessThan(STILL_EVERY_MS + STILL_LATE_MS_MAX);
        const [places, bars] = [still.placeMs - before.placeMs, still.barsMs - before.barsMs];
        expect(places).toBeGreaterThan(0);
        expect(Math.abs(passedMs - bars), told).toBeLessThan(STILL_APART_MS_MAX);
      }
    }
  }
  expect(stills[second]!.atMs).toBeGreaterThan(stills[second - 1]!.atMs);
  const beyond = await request.get(`/api/sessions/${session.id}/frames/${frames.length}.jpg`);
  expect(beyond.status()).toBe(404);

  const archive = testInfo.outputPath('everything.zip');
  const zip = await save(request, `/api/sessions/${session.id}/exports/zip`, archive);
  const entries = [...readZip(zip)];
  const archived = entries.filter(([name]) => /stills.*\.jpg$/.test(name));
  expect(archived.map(([, bytes]) => sha256(bytes))).toEqual(jpegs.map(sha256));
});

test('every kind of recording is offered, and a second microphone where there is one', async ({
  page,
  recordPage,
}) => {
  await installSources(page);
  await recordPage.open();
  await expect(recordPage.kinds.getByRole('radio')).toHaveCount(6);
  await expect(recordPage.kinds.locator('label')).toHaveText([
    'Sound only',
    'Sound and camera',
    'Sound and pictures',
    'Two microphones',
    "Sound and this computer's sound",
    'Sound and screen',
  ]);
  await expect(recordPage.kinds.getByRole('radio', { name: 'Sound only' })).toBeChecked();
  await expect(recordPage.secondMicrophone).toHaveCount(0);
  await recordPage.choose('Two microphones');
  await expect(recordPage.secondMicrophone).toBeVisible();
  await lookAt(page, 'record-kinds');
  await recordPage.choose('Sound and screen');
  await expect(recordPage.secondMicrophone).toHaveCount(0);
});

test('nothing begins when no screen is shared, and it is asked for once more', async ({
  page,
  request,
  recordPage,
}) => {
  await installSources(page, 1);
  await recordPage.open();
  await recordPage.choose('Sound and screen');
  await recordPage.startButton.click();
  await recordPage.expectState('error');
  await expect(page.getByRole('alert')).toContainText('Nothing was shared');
  await page.getByRole('button', { name: 'Try again' }).click();
  await recordPage.expectState('recording');
  await delay(1_000);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  expect(session.tracks.map(({ kind }) => kind)).toEqual(['microphone', 'screen']);
});

test('a share that ends can be shared again, and the voice goes on all the while', async ({
  page,
  request,
  recordPage,
}, testInfo) => {
  await startKind(page, recordPage, 'Sound and screen');
  await delay(SHARED_MS);
  await endSharing(page);
  const shareAgain = page.getByRole('button', { name: 'Share again' });
  await expect(shareAgain).toBeVisible();
  await expect(recordPage.recorder).toContainText('Sharing has ended. Your own sound is still');
  await recordPage.expectState('recording');
  await lookAt(page, 'share-ended');
  await shareAgain.click();
  await expect(shareAgain).toBeHidden();
  await delay(SHARED_MS);
  const session = await getWholeSession(request, await recordPage.stopAndSave());
  const [voice, screen] = session.tracks;
  expect(session.tracks.map(({ kind }) => kind)).toEqual(['microphone', 'screen']);
  expect([voice!.segments.length, screen!.segments.length]).toEqual([1, 2]);

  const path = await saveRecording(request, session, testInfo);
  const onsetsMs = wholeOnsets(burstsOf(await decodeInTime(path, 0), DESK.pitchHz));
  const parts = partsOf(onsetsMs);
  expect(parts, 'the voice in one go').toHaveLength(1);
  const flips = flipsToWhite(await readBrightness(path));
  const begins = voice!.segments[0]!.started_at_ms;
  for (const { started_at_ms, duration_ms } of screen!.segments) {
    const from = started_at_ms - begins + PICTURES_START_MS;
    const to = started_at_ms - begins + duration_ms;
    const shared = parts[0]!.onsetsMs.filter((at) => at >= from && at < to);
    expect(shared.length, 'bursts while it was shared').toBeGreaterThan(1);
    const { apartMs } = apartness({ ...parts[0]!, onsetsMs: shared }, flips);
    expect(apartMs, 'each burst with its flip').toHaveLength(shared.length);
    expectTogether(apartMs.map((apart) => apart + PICTURE_LEAD_MS), 'picture', PICTURE_MS);
  }
});
