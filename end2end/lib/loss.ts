/**
 * The loss of a recording in milliseconds: what the witness in the page heard, less what the
 * finished file says. Inside a part the tones are counted; at its end, the place in the code where
 * the file stops is held against the place that the microphone had reached when the page ended.
 */
import type { Session } from './api.ts';
import { accountForTones, describeAccount, type Account, type Pcm } from './tones.ts';
import type { Capture } from './witness.ts';

/**
 * What Chromium's recorder never hands over: sound that does not fill an Opus packet of 60 ms, and
 * the encoder's look-ahead of 6.5 ms. A page that is told to stop waits for it.
 */
export const UNFILLED_PACKET_MS = 67;
/** How well an end is timed on a machine with nothing else to do: microphone buffers hold 10 ms. */
const RESOLUTION_MS = 25;

/**
 * Of the sound that a page's recorder had when the page ended, so much may be in its encoder still,
 * where a machine is that busy. It counts as withheld by the browser, not as lost, if everything that
 * was handed over is on the server.
 */
const WITHHELD_MS_MAX = 250;

/** Every part is longer than a second, so the code leaps farther where the next one begins. */
const LEAP_SLOTS_MIN = 10;
/** How far that may be from where the segments' durations say. */
const SEAM_WINDOW_MS = 600;
/** A tone at the end of a part must last so long to be heard. */
const BLUR_MS = 25;

/** One recorder run as the test saw it. */
export interface Part {
  capture: Capture;
  /** When the page was told to end, was killed, or the recorder was stopped. */
  endedAt: number;
  /** What the recorder may keep back of its end; without it, `UNFILLED_PACKET_MS`. */
  unfilledMs?: number;
  /** How long a page lived on after it was told to end. */
  livedOnMs?: number;
  /** What the page's recorders handed over while somebody counted; the last may come even later. */
  handedOverBytes?: number;
}

export interface PartLoss {
  account: Account;
  /** Code between the call that starts the recorder and the first tone: it takes its time. */
  startMs: number;
  /** Code between the last tone and the part's end. */
  endMs: number;
  /** What is missing in between and at the end, less the packet that was not full. */
  lostMs: number;
  /** So much of that the browser never handed over. */
  withheldMs: number;
  /** How well its end is timed. What is nearer than this counts as whole. */
  resolutionMs: number;
}

export interface Loss {
  parts: PartLoss[];
  lostMs: number;
  withheldMs: number;
  repeatedMs: number;
  /** The worst of the parts. */
  endMs: number;
  resolutionMs: number;
  /** What the parts lack of the time in which their pages lived on; nobody promised that. */
  afterEndMs: number;
  /** The gaps between the parts, as the session's timeline shows them, and by the clock. */
  gapsMs: number[];
  awayMs: number[];
}

/** Splits the file at its segments and measures each. */
export function measureLoss(session: Session, pcm: Pcm, parts: Part[]): Loss {
  const segments = session.tracks[0]?.segments ?? [];
  if (segments.length !== parts.length) {
    throw new Error(`the session has ${segments.length} segments, the test saw ${parts.length}`);
  }
  const seamsMs = findSeams(pcm, segments.slice(0, -1).map((segment) => segment.duration_ms));
  const handedOverBytes = handedOver(parts);
  const isAllThere = handedOverBytes !== undefined && handedOverBytes <= session.payload_bytes;
  const losses = parts.map((part, i) =>
    measurePart(cut(pcm, seamsMs[i - 1] ?? 0, seamsMs[i] ?? lengthMs(pcm)), part, isAllThere),
  );
  const gapsMs = segments.slice(1).map((segment, i) => {
    const before = segments[i];
    return segment.started_at_ms - ((before?.started_at_ms ?? 0) + (before?.duration_ms ?? 0));
  });
  return {
    parts: losses,
    lostMs: sum(losses.map((part) => part.lostMs)),
    withheldMs: sum(losses.map((part) => part.withheldMs)),
    repeatedMs: sum(losses.map((part) => part.account.repeatedMs)),
    endMs: Math.max(...losses.map((part) => part.endMs)),
    resolutionMs: Math.max(...losses.map((part) => part.resolutionMs)),
    afterEndMs: Math.max(
      ...losses.map(({ endMs }, i) => {
        const livedOnMs = parts[i]?.livedOnMs ?? 0;
        return Math.max(0, Math.min(livedOnMs, endMs + livedOnMs - UNFILLED_PACKET_MS));
      }),
    ),
    gapsMs,
    awayMs: parts.slice(1).map((part, i) => {
      // A page that lived on was not away yet.
      const livedOnMs = Math.max(0, -(losses[i]?.endMs ?? 0));
      return (part.capture.startedAt ?? 0) - (parts[i]?.endedAt ?? 0) - livedOnMs;
    }),
  };
}

/** What all recorders handed over; unknown if not every page's were counted. */
export function handedOver(parts: Part[]): number | undefined {
  return parts.reduce<number | undefined>(
    (total, { handedOverBytes }) =>
      total === undefined || handedOverBytes === undefined ? undefined : total + handedOverBytes,
    0,
  );
}

export function describeLoss(loss: Loss): string {
  const parts = loss.parts.map(
    (part) =>
      `      start ${Math.round(part.startMs)} ms, end ${Math.round(part.endMs)} ` +
      `(±${Math.round(part.resolutionMs)}) ms; ` +
      describeAccount(part.account),
  );
  const withheld = `${Math.round(loss.withheldMs)} of them withheld by the browser`;
  const head = `lost ${Math.round(loss.lostMs)} ms, ${withheld}; gaps [${loss.gapsMs.join(', ')}] ms of [${loss.awayMs.map(Math.round).join(', ')}] ms`;
  return [head, ...parts].join('\n');
}

/**
 * Where one part ends and the next begins: where the code leaps, near the place that the durations
 * of the segments before it tell. A decoder puts packet after packet, so that where a busy machine
 * has left a hole between two of them the sound is shorter than the segment.
 */
function findSeams(pcm: Pcm, durationsMs: number[]): number[] {
  let expectedMs = 0;
  return durationsMs.map((durationMs) => {
    expectedMs += durationMs;
    const fromMs = Math.max(0, expectedMs - SEAM_WINDOW_MS);
    const { slots } = accountForTones(cut(pcm, fromMs, expectedMs + SEAM_WINDOW_MS));
    const away = (leapMs: number): number => Math.abs(leapMs - expectedMs);
    const nearestMs = slots
      .filter(({ slot }, i) => Math.abs(slot - (slots[i - 1]?.slot ?? slot)) > LEAP_SLOTS_MIN)
      .map((slot) => fromMs + slot.fromMs)
      .sort((one, other) => away(one) - away(other))[0];
    if (nearestMs === undefined) {
      throw new Error(`the code does not begin anew near ${expectedMs} ms`);
    }
    expectedMs = nearestMs;
    return nearestMs;
  });
}

function measurePart(
  pcm: Pcm,
  { capture, endedAt, unfilledMs = UNFILLED_PACKET_MS }: Part,
  isAllThere: boolean,
): PartLoss {
  const account = accountForTones(pcm);
  const first = account.slots[0]?.fromMs ?? 0;
  const lastSlotMs = account.slots.at(-1)?.toMs ?? 0;
  // A tone too short to be told apart is still sound.
  const last = lengthMs(pcm) - lastSlotMs < BLUR_MS ? lengthMs(pcm) : lastSlotMs;
  const startMs =
    account.firstEdgeCodeMs -
    (account.firstEdgeMs - first) -
    capture.deliveredBy(capture.startedAt ?? endedAt);
  const endMs =
    capture.deliveredBy(endedAt) - (account.lastEdgeCodeMs + (last - account.lastEdgeMs));
  // A machine that is late with the witness's sound is as late with the recorder's.
  const resolutionMs = RESOLUTION_MS + capture.lagMs;
  const beyondPacketMs = endMs - unfilledMs;
  const lostAtEndMs = beyondPacketMs > resolutionMs ? beyondPacketMs : 0;
  const withheldMs = isAllThere && lostAtEndMs <= WITHHELD_MS_MAX ? lostAtEndMs : 0;
  const lostMs = account.lostMs + lostAtEndMs;
  return { account, startMs, endMs, lostMs, withheldMs, resolutionMs };
}

function sum(figures: number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}

function lengthMs({ samples, sampleRate }: Pcm): number {
  return (samples.length * 1000) / sampleRate;
}

function cut({ samples, sampleRate }: Pcm, fromMs: number, toMs: number): Pcm {
  const at = (ms: number): number => Math.round((ms * sampleRate) / 1000);
  return { samples: samples.subarray(at(fromMs), at(toMs)), sampleRate };
}
