/**
 * A witness in the page: what the microphone had delivered by when. It reads the same track as the
 * recorder, sample by sample, and so knows at every moment how far the tone code has come. What
 * the finished file lacks of that is the loss. It also counts the bytes that recorders hand over.
 *
 * Its clock is `Date.now()`, which page and test share. Its notes of the page's end lie in
 * `localStorage`, where they outlive the page.
 */
import type { Page } from '@playwright/test';
import { accountForTones } from './tones.ts';

/** Enough of the code to find one's place in it. */
const SAMPLED_MS = 1_500;

/** One opened microphone. */
interface CaptureNotes {
  sampleRate: number;
  frames: number;
  /** When frame 0 was heard by the microphone's own clock, reckoned from each of the latest. */
  zeros: number[];
  /** How much later than by that clock the latest arrived here. */
  lags: number[];
  /** The least of all lags: what lies between the two clocks. */
  lagMin: number;
  samples: number[];
  /** When the recorder was started and stopped on it, if it was. */
  startedAt: number | null;
  stoppedAt: number | null;
}

interface PageNotes {
  captures: CaptureNotes[];
  /** When something was last clicked. */
  clickedAt: number;
  /** By all recorders of the page. */
  handedOverBytes: number;
}

/** When the page was told that it ends, and what its recorders had handed over by then. */
export interface PageEnd {
  beforeUnloadAt: number;
  pageHideAt: number;
  handedOverBytes: number;
}

declare global {
  interface Window {
    holdfastWitness: PageNotes;
  }
}

const PAGE_END_KEY = 'witness-page-end';

/** What is known of one opened microphone. */
export interface Capture {
  /** The code's position that the page had been given by then. */
  deliveredBy(wallMs: number): number;
  /** How late, with nine of ten, samples came to the page at last: its machine is that busy. */
  lagMs: number;
  startedAt: number | null;
  stoppedAt: number | null;
}

/** Has every page that `page` will load watch its microphone. */
export async function installWitness(page: {
  addInitScript: Page['addInitScript'];
}): Promise<void> {
  await page.addInitScript(watchMicrophone, { sampledMs: SAMPLED_MS, pageEndKey: PAGE_END_KEY });
}

/** The newest microphone of the page that is there now. */
export async function readCapture(page: Page): Promise<Capture> {
  const enough = (sampledMs: number): boolean => {
    const last = window.holdfastWitness.captures.at(-1);
    return last !== undefined && last.frames >= (last.sampleRate * sampledMs) / 1000;
  };
  await page.waitForFunction(enough, SAMPLED_MS, { timeout: 10_000 });
  const notes = await page.evaluate(() => window.holdfastWitness.captures.at(-1));
  if (!notes) {
    throw new Error('the page has not opened a microphone');
  }
  const { sampleRate, samples, zeros, lags, lagMin, startedAt, stoppedAt } = notes;
  const account = accountForTones({ samples: Float32Array.from(samples), sampleRate });
  const codeAtZero = account.firstEdgeCodeMs - account.firstEdgeMs;
  const zeroAt = quantile(zeros, 0.5) + lagMin;
  const lagMs = quantile(lags, 0.9) - lagMin;
  return { deliveredBy: (wallMs) => codeAtZero + (wallMs - zeroAt), lagMs, startedAt, stoppedAt };
}

function quantile(figures: number[], share: number): number {
  const sorted = figures.toSorted((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

/** How the page before this one ended. */
export async function readPageEnd(page: Page): Promise<PageEnd> {
  const text = await page.evaluate((key) => localStorage.getItem(key), PAGE_END_KEY);
  if (!text) {
    throw new Error('no page has noted its end');
  }
  return JSON.parse(text) as PageEnd;
}

/** Runs in the page, before anything else. */
function watchMicrophone({ sampledMs, pageEndKey }: { sampledMs: number; pageEndKey: string }): void {
  interface Sound {
    numberOfFrames: number;
    sampleRate: number;
    /** Microseconds on the microphone's own clock. */
    timestamp: number;
    copyTo(into: Float32Array, options: { planeIndex: number; format: string }): void;
    close(): void;
  }
  type Processor = new (init: { track: MediaStreamTrack; maxBufferSize: number }) => {
    readable: ReadableStream<Sound>;
  };
  const LATELY_SOUNDS = 101;

  const notes: PageNotes = { captures: [], clickedAt: 0, handedOverBytes: 0 };
  window.holdfastWitness = notes;

  const listen = async (track: MediaStreamTrack): Promise<void> => {
    const { MediaStreamTrackProcessor } = window as unknown as {
      MediaStreamTrackProcessor: Processor;
    };
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 500 }).readable.getReader();
    const capture: CaptureNotes = {
      sampleRate: 0, frames: 0, zeros: [], lags: [], lagMin: Infinity, samples: [],
      startedAt: null, stoppedAt: null,
    };
    notes.captures.push(capture);
    for (;;) {
      const { value: sound, done } = await reader.read();
      if (done) {
        return;
      }
      const { numberOfFrames, sampleRate, timestamp } = sound;
      capture.sampleRate = sampleRate;
      if (capture.frames < (sampleRate * sampledMs) / 1000) {
        const part = new Float32Array(numberOfFrames);
        sound.copyTo(part, { planeIndex: 0, format: 'f32-planar' });
        capture.samples.push(...part);
      }
      sound.close();
      const lag = Date.now() - timestamp / 1000;
      capture.lagMin = Math.min(capture.lagMin, lag);
      capture.lags.push(lag);
      capture.zeros.push(timestamp / 1000 - (capture.frames * 1000) / sampleRate);
      capture.frames += numberOfFrames;
      if (capture.lags.length > LATELY_SOUNDS) {
        capture.lags.shift();
        capture.zeros.shift();
      }
    }
  };

  const open = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (constraints) {
    const stream = await open.call(this, constraints);
    stream.getAudioTracks().forEach((track) => void listen(track));
    return stream;
  };
  const start = MediaRecorder.prototype.start;
  MediaRecorder.prototype.start = function (timeslice) {
    const capture = notes.captures.at(-1);
    if (capture) {
      capture.startedAt = Date.now();
    }
    this.addEventListener('dataavailable', ({ data }) => {
      notes.handedOverBytes += data.size;
    });
    start.call(this, timeslice);
  };
  const stop = MediaRecorder.prototype.stop;
  MediaRecorder.prototype.stop = function () {
    const capture = notes.captures.at(-1);
    if (capture) {
      capture.stoppedAt = Date.now();
    }
    stop.call(this);
  };

  window.addEventListener('click', () => (notes.clickedAt = Date.now()), { capture: true });

  const end: PageEnd = { beforeUnloadAt: 0, pageHideAt: 0, handedOverBytes: 0 };
  window.addEventListener('beforeunload', () => {
    end.beforeUnloadAt = Date.now();
  });
  window.addEventListener('pagehide', () => {
    end.pageHideAt = Date.now();
    end.handedOverBytes = notes.handedOverBytes;
    if (notes.captures.length > 0) {
      localStorage.setItem(pageEndKey, JSON.stringify(end));
    }
  });
}
