/**
 * Sources whose every moment is known, in the place of a page's microphones, camera and screen. One
 * schedule of tone bursts, on the clock of one AudioContext, sounds on all of them: at a pitch of
 * its own on each, so that tracks can be told apart, and at the same moments, so that they can be
 * held against each other. The picture is white for as long as a burst sounds, in its upper half;
 * in its lower half it says as bars how far the schedule has come.
 *
 * The schedule begins when a page first asks for a source. It goes on in silence: the intervals
 * between bursts differ, so that two or three of them say where in the schedule they stand.
 */
import type { Page } from '@playwright/test';
import { ffmpeg } from './ffmpeg.ts';

export const BURST_MS = 200;
/** From each burst to the next, over and over: no two alike, and each 50 ms from all others. */
export const INTERVALS_MS: readonly number[] = [500, 650, 800, 600, 750, 550, 700];
/** Longer than any test records. After it there is silence, and black. */
const SCHEDULE_MS = 120_000;

/** Far apart, and far from each other's harmonics. */
export const PITCH_HZ = { desk: 700, lapel: 1_700, computer: 3_100 } as const;
export const MICROPHONES = [
  { id: 'desk', label: 'Desk microphone', pitchHz: PITCH_HZ.desk },
  { id: 'lapel', label: 'Lapel microphone', pitchHz: PITCH_HZ.lapel },
] as const;
export const PICTURE = { width: 640, height: 360, framesPerSecond: 30 } as const;

const BITS = 16;
/** The bars count up by one in this time: often enough to tell, seldom enough to be encoded well. */
export const BARS_STEP_MS = 50;
const PAGE_END_KEY = 'sources-page-end';

/** A page's question for a source. */
export interface Asking {
  what: 'getUserMedia' | 'getDisplayMedia';
  /** Before anything else happened after a click: browsers show a screen for nothing less. */
  isInsideClick: boolean;
}

interface SourceNotes {
  askings: Asking[];
  /** How far the schedule had come when something was last clicked. */
  clickedAtMs: number;
  /** What is shared of the screen. */
  shared: MediaStreamTrack[];
}

declare global {
  interface Window {
    holdfastSources: SourceNotes;
  }
}

/**
 * Has every page that `page` will load record these sources and no others. So many times the
 * candidate does not want to share anything.
 */
export async function installSources(page: Page, refusals = 0): Promise<void> {
  await page.addInitScript(standIn, {
    refusals,
    burstMs: BURST_MS,
    intervalsMs: [...INTERVALS_MS],
    scheduleMs: SCHEDULE_MS,
    microphones: MICROPHONES.map((microphone) => ({ ...microphone })),
    computerHz: PITCH_HZ.computer,
    picture: { ...PICTURE },
    bits: BITS,
    barsStepMs: BARS_STEP_MS,
    pageEndKey: PAGE_END_KEY,
  });
}

/** What the page that is there now has asked for. */
export async function readAskings(page: Page): Promise<Asking[]> {
  return page.evaluate(() => window.holdfastSources.askings);
}

/** How far the schedule had come when something was last clicked in the page that is there now. */
export async function readClick(page: Page): Promise<number> {
  return page.evaluate(() => window.holdfastSources.clickedAtMs);
}

/** Stops sharing the screen, as the browser's own button does. */
export async function endSharing(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const track of window.holdfastSources.shared.splice(0)) {
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }
  });
}

/** How far the schedule had come when the page before this one was told to end. */
export async function readPageEnd(page: Page): Promise<number> {
  const noted = await page.evaluate((key) => localStorage.getItem(key), PAGE_END_KEY);
  if (noted === null) {
    throw new Error('no page has noted its end');
  }
  return Number(noted);
}

/** How far the schedule had come when this picture was taken, as its bars say. */
export async function readBars(path: string): Promise<number> {
  const pixelsPerBar = 4;
  const width = BITS * pixelsPerBar;
  const raw = await ffmpeg([
    '-i', path, '-frames:v', '1',
    '-vf', `crop=iw:ih/2:0:ih/2,scale=${width}:4:flags=area,format=gray`,
    '-f', 'rawvideo', 'pipe:1',
  ]);
  let steps = 0;
  for (let bit = 0; bit < BITS; bit++) {
    // A bar is read in its middle: its edges are blurred.
    const middle = width + bit * pixelsPerBar + pixelsPerBar / 2;
    steps = steps * 2 + ((raw[middle] ?? 0) > 128 ? 1 : 0);
  }
  return steps * BARS_STEP_MS;
}

interface Setting {
  refusals: number;
  burstMs: number;
  intervalsMs: number[];
  scheduleMs: number;
  microphones: { id: string; label: string; pitchHz: number }[];
  computerHz: number;
  picture: { width: number; height: number; framesPerSecond: number };
  bits: number;
  barsStepMs: number;
  pageEndKey: string;
}

/** Runs in the page, before anything else. */
function standIn(setting: Setting): void {
  const LOUDNESS = 0.3;
  const FADE_MS = 2;
  /** More often than pictures are taken of it, so that a flip waits for the next picture alone. */
  const DRAW_EVERY_MS = 10;
  const LEAD_MS = 50;
  const { burstMs, intervalsMs, microphones, picture, bits } = setting;
  let { refusals } = setting;

  const burstsMs: number[] = [];
  for (let at = 0, no = 0; at < setting.scheduleMs; no++) {
    burstsMs.push(at);
    at += intervalsMs[no % intervalsMs.length] ?? setting.scheduleMs;
  }

  interface Stage {
    context: AudioContext;
    beginsAt: number;
    /** The schedule as a signal: up during bursts. */
    schedule: ConstantSourceNode;
    canvas: HTMLCanvasElement | undefined;
  }
  let stage: Stage | undefined;

  const setUp = async (): Promise<Stage> => {
    if (!stage) {
      const context = new AudioContext();
      const beginsAt = context.currentTime + LEAD_MS / 1000;
      const schedule = new ConstantSourceNode(context, { offset: 0 });
      for (const ms of burstsMs) {
        const [from, to] = [beginsAt + ms / 1000, beginsAt + (ms + burstMs) / 1000];
        schedule.offset.setValueAtTime(0, from);
        schedule.offset.linearRampToValueAtTime(LOUDNESS, from + FADE_MS / 1000);
        schedule.offset.setValueAtTime(LOUDNESS, to - FADE_MS / 1000);
        schedule.offset.linearRampToValueAtTime(0, to);
      }
      schedule.start();
      stage = { context, beginsAt, schedule, canvas: undefined };
    }
    await stage.context.resume();
    return stage;
  };

  /** How far the schedule has come: sound up to here has gone out. */
  const nowMs = (): number =>
    stage ? (stage.context.currentTime - stage.beginsAt) * 1000 : -Infinity;

  const named = (track: MediaStreamTrack, deviceId: string, label: string): MediaStreamTrack => {
    const ownSettings = track.getSettings.bind(track);
    return Object.defineProperties(track, {
      label: { value: label },
      getSettings: { value: () => ({ ...ownSettings(), deviceId }) },
    });
  };

  const sound = ({ context, schedule }: Stage, pitchHz: number): MediaStreamTrack => {
    const tone = new OscillatorNode(context, { frequency: pitchHz });
    const gate = new GainNode(context, { gain: 0 });
    const outlet = new MediaStreamAudioDestinationNode(context, {
      channelCount: 1,
      channelCountMode: 'explicit',
    });
    schedule.connect(gate.gain);
    tone.connect(gate).connect(outlet);
    tone.start();
    return outlet.stream.getAudioTracks()[0] as MediaStreamTrack;
  };

  const draw = (canvas: HTMLCanvasElement): void => {
    const { width, height } = canvas;
    const pen = canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D;
    const paint = (isWhite: boolean, x: number, y: number, w: number): void => {
      pen.fillStyle = isWhite ? 'white' : 'black';
      pen.fillRect(x, y, w, height / 2);
    };
    const now = nowMs();
    paint(burstsMs.some((from) => from <= now && now < from + burstMs), 0, 0, width);
    const steps = Math.max(0, Math.floor(now / setting.barsStepMs));
    for (let bit = 0; bit < bits; bit++) {
      const isWhite = ((steps >> (bits - 1 - bit)) & 1) === 1;
      paint(isWhite, (bit * width) / bits, height / 2, width / bits);
    }
  };

  const film = (on: Stage): MediaStreamTrack => {
    if (!on.canvas) {
      const canvas = document.createElement('canvas');
      canvas.width = picture.width;
      canvas.height = picture.height;
      draw(canvas);
      setInterval(() => draw(canvas), DRAW_EVERY_MS);
      on.canvas = canvas;
    }
    const { framesPerSecond } = picture;
    return on.canvas.captureStream(framesPerSecond).getVideoTracks()[0] as MediaStreamTrack;
  };

  const notes: SourceNotes = { askings: [], clickedAtMs: 0, shared: [] };
  window.holdfastSources = notes;
  let isInsideClick = false;
  window.addEventListener(
    'click',
    () => {
      notes.clickedAtMs = nowMs();
      isInsideClick = true;
      // What the click set off, with all that it has promised, is over before the next task.
      setTimeout(() => (isInsideClick = false));
    },
    { capture: true },
  );
  window.addEventListener('beforeunload', () => {
    if (stage) {
      localStorage.setItem(setting.pageEndKey, String(nowMs()));
    }
  });

  const idOf = (wanted: ConstrainDOMString | undefined): string | undefined => {
    if (wanted === undefined || typeof wanted === 'string') {
      return wanted;
    }
    return Array.isArray(wanted) ? wanted[0] : idOf(wanted.exact ?? wanted.ideal);
  };

  /** The device asked for by its id; the first one when none is. */
  const chosen = (audio: true | MediaTrackConstraints): Setting['microphones'][number] => {
    const id = audio === true ? undefined : idOf(audio.deviceId);
    const found = microphones.find((one) => id === undefined || one.id === id);
    if (!found) {
      throw new OverconstrainedError('deviceId', 'There is no such microphone.');
    }
    return found;
  };

  const devices = navigator.mediaDevices;
  devices.getUserMedia = async (constraints = {}) => {
    notes.askings.push({ what: 'getUserMedia', isInsideClick });
    const microphone = constraints.audio ? chosen(constraints.audio) : undefined;
    const on = await setUp();
    const tracks: MediaStreamTrack[] = [];
    if (microphone) {
      tracks.push(named(sound(on, microphone.pitchHz), microphone.id, microphone.label));
    }
    if (constraints.video) {
      tracks.push(named(film(on), 'camera', 'Front camera'));
    }
    return new MediaStream(tracks);
  };
  devices.getDisplayMedia = async (options = {}) => {
    notes.askings.push({ what: 'getDisplayMedia', isInsideClick });
    if (!navigator.userActivation.isActive) {
      throw new DOMException('Sharing takes a click.', 'InvalidStateError');
    }
    if (refusals > 0) {
      refusals -= 1;
      throw new DOMException('Permission denied', 'NotAllowedError');
    }
    const on = await setUp();
    const tracks = [named(film(on), 'screen', 'Whole screen')];
    if (options.audio) {
      tracks.push(named(sound(on, setting.computerHz), 'computer', 'Sound of the computer'));
    }
    notes.shared = tracks;
    return new MediaStream(tracks);
  };
  devices.enumerateDevices = async () => {
    const listed = (deviceId: string, kind: MediaDeviceKind, label: string): MediaDeviceInfo =>
      Object.create(MediaDeviceInfo.prototype, {
        deviceId: { value: deviceId },
        groupId: { value: deviceId },
        kind: { value: kind },
        label: { value: label },
      }) as MediaDeviceInfo;
    return [
      ...microphones.map(({ id, label }) => listed(id, 'audioinput', label)),
      listed('camera', 'videoinput', 'Front camera'),
    ];
  };
}
