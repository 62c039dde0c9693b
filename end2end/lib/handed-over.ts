/** What the browser's recorders hand over to the page, to the byte: all of it must arrive. */
import type { Page } from '@playwright/test';

export interface HandedOver {
  bytes: number;
  /** Of the largest chunk. */
  largestBytes: number;
}

declare global {
  interface Window {
    handedOver: HandedOver;
    /** Of the page, the newest last. */
    recorders: MediaRecorder[];
    /** Chunks are held back, and come as one when this is over. */
    areChunksHeldBack: boolean;
  }
}

/** Counts from here on. To be called before the page opens. */
export async function countHandedOver(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.handedOver = { bytes: 0, largestBytes: 0 };
    window.recorders = [];
    window.areChunksHeldBack = false;
    let held: Blob[] = [];
    const Real = window.MediaRecorder;
    // Its listener is there before those of the page: what it stops, the page does not see.
    window.MediaRecorder = class extends Real {
      constructor(stream: MediaStream, options?: MediaRecorderOptions) {
        super(stream, options);
        window.recorders.push(this);
        this.addEventListener('dataavailable', (event) => {
          const { data } = event;
          if (event.isTrusted && (window.areChunksHeldBack || held.length > 0)) {
            event.stopImmediatePropagation();
            held.push(data);
            if (!window.areChunksHeldBack) {
              const whole = new Blob(held, { type: data.type });
              held = [];
              this.dispatchEvent(new BlobEvent('dataavailable', { data: whole }));
            }
            return;
          }
          const { bytes, largestBytes } = window.handedOver;
          window.handedOver = {
            bytes: bytes + data.size,
            largestBytes: Math.max(largestBytes, data.size),
          };
        });
      }
    };
  });
}

export async function readHandedOver(page: Page): Promise<HandedOver> {
  return page.evaluate(() => window.handedOver);
}
