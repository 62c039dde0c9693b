/** The player of a session's page. */
import type { Locator } from '@playwright/test';

/** Its element in any browser. */
export type Player = Pick<Locator, 'evaluate'>;

const SEEKED_WITHIN_MS = 5_000;

/** Where the player landed, and what it says of what it plays. */
export interface Seeked {
  at: number;
  duration: number;
  /** Of the picture; 0 where there is none. */
  width: number;
  height: number;
}

/** Seeks, and waits until the player says that it is there. */
export async function seek(player: Player, seconds: number): Promise<Seeked> {
  return player.evaluate(
    (media: HTMLVideoElement, { target, deadlineMs }) =>
      new Promise<Seeked>((done, refuse) => {
        const refusal = new Error(`the seek to ${target} s did not end`);
        const deadline = setTimeout(() => refuse(refusal), deadlineMs);
        media.addEventListener(
          'seeked',
          () => {
            clearTimeout(deadline);
            const { currentTime, duration, videoWidth = 0, videoHeight = 0 } = media;
            done({ at: currentTime, duration, width: videoWidth, height: videoHeight });
          },
          { once: true },
        );
        media.currentTime = target;
      }),
    { target: seconds, deadlineMs: SEEKED_WITHIN_MS },
  );
}

export async function placeOf(player: Player): Promise<number> {
  return player.evaluate((media: HTMLMediaElement) => media.currentTime);
}

/** The length that the player knows, once it knows one. */
export async function lengthOf(player: Player): Promise<number> {
  return player.evaluate(async (media: HTMLMediaElement) => {
    if (media.readyState < HTMLMediaElement.HAVE_METADATA) {
      await new Promise((done) => media.addEventListener('loadedmetadata', done, { once: true }));
    }
    return media.duration;
  });
}
