/** A recorder that writes what this browser cannot play, as the one of another browser may. */
import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { ffmpeg } from './ffmpeg.ts';

const PICTURES = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=10:duration=3'];
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=3'];
/** As Safari's recorder can be asked to; Debian's Chromium has no decoder for it. */
const HEVC = ['-c:v', 'libx265', '-x265-params', 'log-level=none', '-tag:v', 'hvc1'];
const FRAGMENTS = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof'];

export async function writeHevc(path: string, withSound: boolean): Promise<void> {
  const inputs = withSound ? [...PICTURES, ...SOUND] : PICTURES;
  const codecs = withSound ? [...HEVC, '-c:a', 'aac'] : HEVC;
  await ffmpeg(['-y', ...inputs, ...codecs, ...FRAGMENTS, path]);
}

/** Has every recorder of the page hand over this file in place of what it recorded. */
export async function replaceRecordings(page: Page, path: string, mime: string): Promise<void> {
  const base64 = (await readFile(path)).toString('base64');
  await page.addInitScript(
    ({ base64, mime }) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      Object.defineProperty(MediaRecorder.prototype, 'mimeType', { get: () => mime });
      const Real = window.MediaRecorder;
      window.MediaRecorder = class extends Real {
        constructor(stream: MediaStream, options?: MediaRecorderOptions) {
          super(stream, options);
          let isHandedOver = false;
          this.addEventListener('dataavailable', (event) => {
            if (!event.isTrusted) {
              return;
            }
            event.stopImmediatePropagation();
            if (!isHandedOver) {
              isHandedOver = true;
              const data = new Blob([bytes], { type: mime });
              this.dispatchEvent(new BlobEvent('dataavailable', { data }));
            }
          });
        }
      };
    },
    { base64, mime },
  );
}
