/**
 * A film whose every frame says which one it is, for a fake camera, and what became of it in a
 * recording. The number stands in the picture as bars: white for 1, black for 0, the highest bit at
 * the left. A recorder that drops, repeats or mixes up frames is found out.
 */
import { open } from 'node:fs/promises';
import { ffmpeg } from './ffmpeg.ts';
import type { Player } from './player.ts';

const BITS = 16;
const WIDTH = 320;
const HEIGHT = 180;
export const FRAMES_PER_SECOND = 30;
const [BLACK, WHITE, GREY] = [16, 235, 128];
/** A bar is read in its middle: its edges are blurred. */
const PIXELS_PER_BAR = 4;

/** What a recording shows. */
export interface FrameAccount {
  /** The numbers of the frames, in the order of the file. */
  numbers: number[];
  /** Places where the next frame is not the next number, as pairs. */
  jumps: [number, number][];
}

/** Writes so many frames as a Y4M file, which Chromium takes for a camera. */
export async function writeFrames(path: string, count: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.write(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n`);
    const colour = Buffer.alloc((WIDTH * HEIGHT) / 2, GREY);
    for (let number = 0; number < count; number++) {
      const row = Buffer.alloc(WIDTH, BLACK);
      for (let bit = 0; bit < BITS; bit++) {
        if ((number >> (BITS - 1 - bit)) & 1) {
          row.fill(WHITE, (bit * WIDTH) / BITS, ((bit + 1) * WIDTH) / BITS);
        }
      }
      const picture = Buffer.alloc(WIDTH * HEIGHT);
      for (let y = 0; y < HEIGHT; y++) {
        row.copy(picture, y * WIDTH);
      }
      await file.write(Buffer.concat([Buffer.from('FRAME\n'), picture, colour]));
    }
  } finally {
    await file.close();
  }
}

/** Reads the number of every frame of a recording. The film is so many frames long, and goes round. */
export async function accountForFrames(path: string, filmFrames: number): Promise<FrameAccount> {
  const width = BITS * PIXELS_PER_BAR;
  const raw = await ffmpeg([
    '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough',
    '-vf', `scale=${width}:4:flags=area,format=gray`, '-f', 'rawvideo', 'pipe:1',
  ]);
  const frameBytes = width * 4;
  const numbers: number[] = [];
  for (let at = 0; at + frameBytes <= raw.length; at += frameBytes) {
    let number = 0;
    for (let bit = 0; bit < BITS; bit++) {
      const middle = at + width + bit * PIXELS_PER_BAR + PIXELS_PER_BAR / 2;
      number = number * 2 + ((raw[middle] ?? 0) > GREY ? 1 : 0);
    }
    numbers.push(number);
  }
  const jumps = numbers
    .slice(1)
    .map((number, i): [number, number] => [numbers[i] ?? 0, number])
    .filter(([before, after]) => after !== (before + 1) % filmFrames);
  return { numbers, jumps };
}

/** Reads the number of the frame that a player shows just now. */
export async function readShownFrame(player: Player): Promise<number> {
  return player.evaluate(
    (video: HTMLVideoElement, { bits, grey }) => {
      const { videoWidth: width, videoHeight: height } = video;
      const pen = new OffscreenCanvas(width, height).getContext('2d');
      if (!pen) {
        throw new Error('the page has no canvas');
      }
      pen.drawImage(video, 0, 0);
      const row = pen.getImageData(0, Math.floor(height / 2), width, 1).data;
      let number = 0;
      for (let bit = 0; bit < bits; bit++) {
        const middle = Math.floor(((bit + 0.5) * width) / bits);
        number = number * 2 + ((row[4 * middle] ?? 0) > grey ? 1 : 0);
      }
      return number;
    },
    { bits: BITS, grey: GREY },
  );
}
