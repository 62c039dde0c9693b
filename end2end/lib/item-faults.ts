/** Faults of single messages on their way from the page to the server. */
import type { Page } from '@playwright/test';

/** The first byte of a message names its kind. */
const ITEMS = 1;
const REFUSED = 2;
/** Above this a frame of items is nearly all payload, so its middle byte is a payload's. */
const PAYLOAD_FRAME_BYTES_MIN = 1_500;
/** How long a frame waits for the next one, to be overtaken by it. */
const OVERTAKEN_WITHIN_MS = 400;

export interface Counts {
  /** Frames of items that the page sent. */
  frames: number;
  /** Frames to which something was done. */
  tampered: number;
  /** Messages of the server that refuse items. */
  refusals: number;
}

/** Sends every frame of items three times, each after the one that followed it. */
export async function repeatAndReorder(page: Page): Promise<Counts> {
  return tamper(page, (frame, send, counts, waiting) => {
    counts.tampered += 1;
    waiting.push(frame);
    const sendAll = (): void => {
      const frames = waiting.splice(0).reverse();
      for (let time = 0; time < 3; time++) {
        frames.forEach(send);
      }
    };
    if (waiting.length > 1) {
      sendAll();
    } else {
      setTimeout(sendAll, OVERTAKEN_WITHIN_MS);
    }
  });
}

/** Flips a byte in the middle of every `every`th frame that carries payload. */
export async function flipBytes(page: Page, every: number): Promise<Counts> {
  let carriers = 0;
  return tamper(page, (frame, send, counts) => {
    const at = Math.floor(frame.length / 2);
    if (frame.length >= PAYLOAD_FRAME_BYTES_MIN && ++carriers % every === 0) {
      counts.tampered += 1;
      const damaged = Buffer.from(frame);
      damaged[at] = (frame[at] as number) ^ 0x10;
      send(damaged);
    } else {
      send(frame);
    }
  });
}

/** Hands every frame of items to `meddle`; all else goes through. To be called before the page opens. */
async function tamper(
  page: Page,
  meddle: (frame: Buffer, send: (frame: Buffer) => void, counts: Counts, waiting: Buffer[]) => void,
): Promise<Counts> {
  const counts: Counts = { frames: 0, tampered: 0, refusals: 0 };
  await page.routeWebSocket(/\/api\/ws$/, (socket) => {
    const server = socket.connectToServer();
    const waiting: Buffer[] = [];
    socket.onMessage((frame) => {
      if (typeof frame !== 'string' && frame[0] === ITEMS) {
        counts.frames += 1;
        meddle(frame, (one) => server.send(one), counts, waiting);
      } else {
        server.send(frame);
      }
    });
    server.onMessage((frame) => {
      if (typeof frame !== 'string' && frame[0] === REFUSED) {
        counts.refusals += 1;
      }
      socket.send(frame);
    });
  });
  return counts;
}
