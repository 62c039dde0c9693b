/** What browsers do after sleep: one chunk of tens of megabytes instead of many small ones. */
import type { Page } from '@playwright/test';

declare global {
  interface Window {
    giantChunkBytes: number | undefined;
  }
}

/**
 * Holds back the first `blobs` of each recorder and hands them over as one chunk, blown up by
 * `voidBytes` of EBML Void in front of the first cluster: valid WebM that says nothing more.
 */
export async function makeFirstChunkGiant(
  page: Page,
  sizes: { blobs: number; voidBytes: number },
): Promise<void> {
  await page.addInitScript(holdBackAndInflate, sizes);
}

/** Runs in the page, before anything else. */
function holdBackAndInflate({ blobs, voidBytes }: { blobs: number; voidBytes: number }): void {
  const CLUSTER_ID = [0x1f, 0x43, 0xb6, 0x75];
  const VOID_ID = 0xec;

  const inflated = async (held: Blob[]): Promise<Blob> => {
    const bytes = new Uint8Array(await new Blob(held).arrayBuffer());
    const cluster = bytes.findIndex((_, i) => CLUSTER_ID.every((byte, j) => bytes[i + j] === byte));
    if (cluster < 0) {
      throw new Error('no cluster among the chunks that were held back');
    }
    const head = new Uint8Array(9);
    head[0] = VOID_ID;
    const size = new DataView(head.buffer);
    size.setBigUint64(1, (1n << 56n) | BigInt(voidBytes));
    const parts = [bytes.slice(0, cluster), head, new Uint8Array(voidBytes), bytes.slice(cluster)];
    return new Blob(parts, { type: held[0]?.type ?? '' });
  };

  const listen = MediaRecorder.prototype.addEventListener;
  MediaRecorder.prototype.addEventListener = function (
    this: MediaRecorder,
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ) {
    if (type !== 'dataavailable' || typeof listener !== 'function') {
      listen.call(this, type, listener, options);
      return;
    }
    const held: Blob[] = [];
    let passing: Promise<void> | undefined;
    const hold = (event: Event): void => {
      const { data } = event as BlobEvent;
      if (passing) {
        passing = passing.then(() => listener.call(this, event));
        return;
      }
      held.push(data);
      if (held.length === blobs) {
        passing = inflated(held).then((giant) => {
          window.giantChunkBytes = giant.size;
          listener.call(this, new BlobEvent('dataavailable', { data: giant }));
        });
      }
    };
    listen.call(this, type, hold, options);
  } as typeof listen;
}
