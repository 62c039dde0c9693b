/** The waveform on a session's page, as a reader sees it, and as the server sends it. */
import type { APIResponse, Locator, Page } from '@playwright/test';

const HEAD_BYTES = 12;
const FINEST_BUCKET_MS = 10;
/** What is fainter than this is the edge of something. */
const OPAQUE_MIN = 128;

/** The answer of `GET /api/sessions/{id}/waveform`. */
export interface Peaks {
  magic: string;
  version: number;
  bucketMs: number;
  count: number;
  /** Of each bucket the lowest and the highest sample, -128 to 127. */
  buckets: { low: number; high: number }[];
}

export async function readPeaks(response: APIResponse): Promise<Peaks> {
  const bytes = await response.body();
  const pairs = new Int8Array(bytes.subarray(HEAD_BYTES));
  return {
    magic: bytes.toString('ascii', 0, 4),
    version: bytes.readUInt8(4),
    bucketMs: FINEST_BUCKET_MS * 2 ** bytes.readUInt8(5),
    count: bytes.readUInt32LE(8),
    buckets: Array.from({ length: pairs.length / 2 }, (_, i) => ({
      low: pairs[2 * i] ?? 0,
      high: pairs[2 * i + 1] ?? 0,
    })),
  };
}

/** One column of pixels. */
export interface Column {
  /** So many of its pixels are painted. */
  height: number;
  /** Of its middle, as red, green and blue. */
  colour: string;
  /** Painted from top to bottom, as a mark and the place that is played are. */
  isLine: boolean;
}

export interface Picture {
  height: number;
  columns: Column[];
}

/** The colours that the page's style gives to parts of the picture. */
export type ColourName = '--accent' | '--edge' | '--warn' | '--ink';

export class WaveformView {
  readonly box: Locator;
  readonly slider: Locator;
  readonly canvas: Locator;
  readonly marks: Locator;

  constructor(readonly page: Page) {
    this.box = page.locator('.waveform');
    this.slider = page.getByRole('slider', { name: 'Place in the recording' });
    this.canvas = this.box.locator('canvas');
    this.marks = this.box.locator('details').filter({ hasText: /interruption/ });
  }

  button(name: 'Zoom in' | 'Zoom out' | 'Show all'): Locator {
    return this.box.getByRole('button', { name });
  }

  /** What is drawn just now. */
  async picture(): Promise<Picture> {
    return this.canvas.evaluate((canvas: HTMLCanvasElement, opaqueMin) => {
      const { width, height } = canvas;
      const pen = canvas.getContext('2d');
      if (!pen || width === 0 || height === 0) {
        return { height: 0, columns: [] };
      }
      const { data } = pen.getImageData(0, 0, width, height);
      const columns = Array.from({ length: width }, (_, x) => {
        let painted = 0;
        for (let y = 0; y < height; y++) {
          painted += (data[4 * (y * width + x) + 3] ?? 0) >= opaqueMin ? 1 : 0;
        }
        const middle = 4 * (Math.floor(height / 2) * width + x);
        const colour = [...data.subarray(middle, middle + 3)].join(',');
        return { height: painted, colour, isLine: painted === height };
      });
      return { height, columns };
    }, OPAQUE_MIN);
  }

  /** What a colour of the page's style is just now, in the words of `Column.colour`. */
  async colour(name: ColourName): Promise<string> {
    return this.box.evaluate((box, property) => {
      const pen = new OffscreenCanvas(1, 1).getContext('2d');
      if (!pen) {
        throw new Error('the page has no canvas');
      }
      pen.fillStyle = getComputedStyle(box).getPropertyValue(property).trim();
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data.subarray(0, 3)].join(',');
    }, name);
  }
}

/** The columns that are lines of this colour. */
export function linesOf({ columns }: Picture, colour: string): number[] {
  return columns.flatMap((column, x) => (column.isLine && column.colour === colour ? [x] : []));
}
