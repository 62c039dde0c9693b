/** The arithmetic of loss and the report's page: what they must not hide, and what they must not invent. */
import { expect, test } from '@playwright/test';
import type { Session } from '../lib/api.ts';
import { FAULTS, type FaultId } from '../lib/fault-table.ts';
import { measureLoss, UNFILLED_PACKET_MS, type Part } from '../lib/loss.ts';
import { latest, lossDocument, type Measured } from '../lib/loss-document.ts';
import { generateTones, type Pcm } from '../lib/tones.ts';

const code = generateTones(8_000, 16_000);

function codeFrom(fromMs: number, toMs: number): Float32Array {
  return code.samples.slice(fromMs * 16, toMs * 16);
}

function joined(...parts: Float32Array[]): Pcm {
  return { samples: Float32Array.from(parts.flatMap((part) => [...part])), sampleRate: 16_000 };
}

/** A microphone that was opened at `openedAt` on the clock, and a recorder that started at once. */
function part(openedAt: number, endedAt: number): Part {
  const deliveredBy = (wallMs: number): number => wallMs - openedAt;
  return { capture: { deliveredBy, lagMs: 0, startedAt: openedAt, stoppedAt: null }, endedAt };
}

function session(...segments: [startedAtMs: number, durationMs: number][]): Session {
  const rows = segments.map(([started_at_ms, duration_ms], segment) => ({
    segment, started_at_ms, duration_ms,
  }));
  return { tracks: [{ track: 0, kind: 'microphone', mime: '', segments: rows }] } as unknown as Session;
}

test('a recording that holds all that the microphone gave has lost nothing', () => {
  const loss = measureLoss(session([0, 5_000]), joined(codeFrom(0, 5_000)), [part(1e6, 1e6 + 5_040)]);
  expect(loss.lostMs).toBe(0);
  expect(Math.abs(loss.endMs - 40)).toBeLessThan(10);
});

test('what the first page had recorded and the file has not is lost', () => {
  const file = joined(codeFrom(0, 3_000), codeFrom(0, 4_000));
  const parts = [part(1e6, 1e6 + 3_300), part(2e6, 2e6 + 4_000)];
  const loss = measureLoss(session([0, 3_000], [9_000, 4_000]), file, parts);
  expect(Math.abs(loss.lostMs - (300 - UNFILLED_PACKET_MS))).toBeLessThan(10);
  expect(Math.abs(loss.endMs - 300)).toBeLessThan(10);
  expect(loss.gapsMs).toEqual([6_000]);
});

test('what the browser never handed over is withheld, up to a bound and if the rest is there', () => {
  const measure = (lackMs: number, payloadBytes: number): number[] => {
    const file = joined(codeFrom(0, 4_000));
    const ended = { ...part(1e6, 1e6 + 4_000 + UNFILLED_PACKET_MS + lackMs), handedOverBytes: 900 };
    const whole = { ...session([0, 4_000]), payload_bytes: payloadBytes };
    const loss = measureLoss(whole, file, [ended]);
    return [loss.lostMs, loss.withheldMs].map((ms) => Math.round(ms / 10) * 10);
  };
  expect(measure(200, 900)).toEqual([200, 200]);
  expect(measure(200, 899)).toEqual([200, 0]);
  expect(measure(300, 900)).toEqual([300, 0]);
});

test('a cut inside a part and the end of it add up', () => {
  const file = joined(codeFrom(0, 2_000), codeFrom(2_250, 5_000));
  const loss = measureLoss(session([0, 4_750]), file, [part(1e6, 1e6 + 5_300)]);
  expect(Math.abs(loss.lostMs - (250 + 300 - UNFILLED_PACKET_MS))).toBeLessThan(20);
});

test('what a page recorded after it was told to end is no loss, and no gain elsewhere', () => {
  const file = joined(codeFrom(0, 4_000));
  const ended = { ...part(1e6, 1e6 + 3_000), livedOnMs: 1_300 };
  const loss = measureLoss(session([0, 4_000]), file, [ended]);
  expect(loss.lostMs).toBe(0);
  expect(Math.abs(loss.afterEndMs - (300 - UNFILLED_PACKET_MS))).toBeLessThan(10);
});

test('what a busy machine may have handed over late is not called a loss', () => {
  const late = (lagMs: number): Part => {
    const { capture, endedAt } = part(1e6, 1e6 + 4_150);
    return { capture: { ...capture, lagMs }, endedAt };
  };
  const measure = (lagMs: number): number =>
    measureLoss(session([0, 4_000]), joined(codeFrom(0, 4_000)), [late(lagMs)]).lostMs;
  expect(measure(80)).toBe(0);
  expect(Math.abs(measure(10) - (150 - UNFILLED_PACKET_MS))).toBeLessThan(10);
});

test('a part that the test did not see is an error', () => {
  const file = joined(codeFrom(0, 4_000));
  expect(() => measureLoss(session([0, 4_000]), file, [])).toThrow(/1 segments/);
});

const conditions = { full: true, machine: '2 cores.', versions: ['Browser 1'] };

function measured(id: FaultId, lostMs: number, passed = true): Measured {
  const figures = { lostMs, repeatedMs: 0, gapMs: null, endMs: 12, resolutionMs: 25, runs: 1 };
  return { id, ...figures, notes: '', passed, date: '2026-01-02' };
}

test('a run replaces the rows that it measured, and leaves the others', () => {
  const before = [measured('quota', 3), measured('reload', 1)];
  const after = latest(before, [measured('quota', 0)]);
  expect(after.map(({ id, lostMs }) => [id, lostMs])).toEqual([['reload', 1], ['quota', 0]]);
});

test('a row that was not measured or has failed is not passed over', () => {
  const text = lossDocument(conditions, [measured('reload', 0), measured('quota', 512, false)]);
  expect(text).toContain(`**1 of ${Object.keys(FAULTS).length} rows are within what is allowed`);
  expect(text).toMatch(/\| reload \(F5\).* \| 0 ms \| 0 ms \|/);
  expect(text).toContain('**512 ms, FAILED**');
  expect(text).toMatch(/\| 50 MB chunk .* \| not measured \|/);
});

test('a page of rows that are all kept says so', () => {
  const all = (Object.keys(FAULTS) as FaultId[]).map((id) => measured(id, 0));
  expect(lossDocument(conditions, all)).toContain(`All ${all.length} rows are within`);
});
