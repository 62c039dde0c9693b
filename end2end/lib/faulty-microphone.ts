/** Faults of microphones and recorders, as a page meets them: to be installed before it opens. */
import type { Page } from '@playwright/test';

declare global {
  interface Window {
    /** The name of the error with which the next requests for a microphone fail, if any. */
    microphoneError: string | undefined;
    /** Every track that the page was given, in order. */
    tracks: MediaStreamTrack[];
    recorders: MediaRecorder[];
    stalled: WeakSet<MediaRecorder>;
    /** The tone that stands in for a microphone, when `useToneInstead` is installed. */
    tone: GainNode;
  }
}

/** Has requests for a microphone fail with `error` from the start, or on demand. */
export async function installMicrophoneFaults(page: Page, error?: string): Promise<void> {
  await page.addInitScript((first) => {
    window.microphoneError = first;
    window.tracks = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      if (window.microphoneError) {
        throw new DOMException('as the test wants it', window.microphoneError);
      }
      const stream = await ask(constraints);
      window.tracks.push(...stream.getAudioTracks());
      return stream;
    };
  }, error);
}

export async function setMicrophoneError(page: Page, error: string | undefined): Promise<void> {
  await page.evaluate((name) => {
    window.microphoneError = name;
  }, error);
}

/** A device came or went, says the browser. */
export async function changeDevices(page: Page): Promise<void> {
  await page.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event('devicechange')));
}

/** Ends the microphone in use as a plug that is pulled does: the track stops, and says so. */
export async function unplug(page: Page): Promise<void> {
  await page.evaluate(() => {
    const track = window.tracks.at(-1) as MediaStreamTrack;
    track.stop();
    track.dispatchEvent(new Event('ended'));
  });
}

/** The system mutes the microphone in use, or gives it back. */
export async function setMuted(page: Page, isMuted: boolean): Promise<void> {
  await page.evaluate((muted) => {
    const track = window.tracks.at(-1) as MediaStreamTrack;
    Object.defineProperty(track, 'muted', { configurable: true, get: () => muted });
    track.dispatchEvent(new Event(muted ? 'mute' : 'unmute'));
  }, isMuted);
}

/** A tone of the page's own in the place of the microphone: it can be made silent. */
export async function useToneInstead(page: Page): Promise<void> {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      const context = new AudioContext();
      const oscillator = context.createOscillator();
      window.tone = context.createGain();
      const destination = context.createMediaStreamDestination();
      oscillator.connect(window.tone).connect(destination);
      oscillator.start();
      return destination.stream;
    };
  });
}

export async function setToneLoudness(page: Page, loudness: number): Promise<void> {
  await page.evaluate((gain) => {
    window.tone.gain.value = gain;
  }, loudness);
}

/** Recorders that can be made to deliver nothing any more. */
export async function installRecorderFaults(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.recorders = [];
    window.stalled = new WeakSet();
    window.MediaRecorder = class extends MediaRecorder {
      constructor(stream: MediaStream, options?: MediaRecorderOptions) {
        super(stream, options);
        window.recorders.push(this);
        for (const name of ['dataavailable', 'stop']) {
          this.addEventListener(name, (event) => {
            if (window.stalled.has(this)) {
              event.stopImmediatePropagation();
            }
          });
        }
      }
    };
  });
}

/** The recorder in use says nothing more, not even that it stops. */
export async function stallRecorder(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.stalled.add(window.recorders.at(-1) as MediaRecorder);
  });
}

/** Has the page's timers run once a minute, as a browser does with a page hidden for long. */
export async function installSlowTimers(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const minute = 60_000;
    const timeout = window.setTimeout.bind(window);
    const interval = window.setInterval.bind(window);
    window.setTimeout = ((handler: TimerHandler, delay = 0, ...args: unknown[]) =>
      timeout(handler, Math.max(delay, minute), ...args)) as typeof window.setTimeout;
    window.setInterval = ((handler: TimerHandler, delay = 0, ...args: unknown[]) =>
      interval(handler, Math.max(delay, minute), ...args)) as typeof window.setInterval;
  });
}
