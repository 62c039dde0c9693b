/** The measuring instrument itself: what it must not report, and what it must not miss. */
import { expect, test } from '@playwright/test';
import { decode, encodeOpusWebm, writeWav } from '../lib/audio.ts';
import { seeded } from '../lib/dice.ts';
import { accountForTones, describeAccount, generateTones, type Account, type Pcm } from '../lib/tones.ts';

const PRECISION_MS = 20;
const DURATION_MS = 12_000;

const intact = generateTones(DURATION_MS);

/** The samples of `pcm` between two times. */
function part({ samples, sampleRate }: Pcm, fromMs: number, toMs: number): Float32Array {
  return samples.subarray(
    Math.round((fromMs * sampleRate) / 1000),
    Math.round((toMs * sampleRate) / 1000),
  );
}

function joined(...parts: Float32Array[]): Pcm {
  const samples = new Float32Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    samples.set(each, at);
    at += each.length;
  }
  return { samples, sampleRate: intact.sampleRate };
}

function withoutPart(pcm: Pcm, fromMs: number, toMs: number): Pcm {
  return joined(part(pcm, 0, fromMs), part(pcm, toMs, DURATION_MS));
}

function withRepeat(pcm: Pcm, fromMs: number, toMs: number): Pcm {
  return joined(part(pcm, 0, toMs), part(pcm, fromMs, DURATION_MS));
}

function withSwap(pcm: Pcm, aMs: number, bMs: number, cMs: number): Pcm {
  return joined(
    part(pcm, 0, aMs),
    part(pcm, bMs, cMs),
    part(pcm, aMs, bMs),
    part(pcm, cMs, DURATION_MS),
  );
}

/** What a recorder's codec does to `pcm`: Opus in WebM, and back. */
async function throughOpus(pcm: Pcm, name: string): Promise<Pcm> {
  const path = test.info().outputPath(name);
  await writeWav(`${path}.wav`, pcm);
  await encodeOpusWebm(`${path}.wav`, `${path}.webm`);
  return decode(`${path}.webm`);
}

function expectIntact(account: Account): void {
  const description = describeAccount(account);
  expect(account.unexpected, description).toEqual([]);
  expect(account.holes, description).toEqual([]);
  expect(account.lostMs, description).toBe(0);
  expect(account.repeatedMs, description).toBe(0);
  expect(Math.abs(account.driftMs), description).toBeLessThan(5);
}

function expectWithin(actual: number, wanted: number, account: Account): void {
  expect(Math.abs(actual - wanted), describeAccount(account)).toBeLessThanOrEqual(PRECISION_MS);
}

test('a minute and more of the code is heard whole, over the end of the code', () => {
  const account = accountForTones(generateTones(63_000));
  expectIntact(account);
  expect(account.slots).toHaveLength(630);
});

test('Opus at 128 kb/s loses nothing of the code', async () => {
  const account = accountForTones(await throughOpus(intact, 'intact'));
  expectIntact(account);
  expect(account.slots).toHaveLength(DURATION_MS / 100);
});

test('a recording that starts in the middle of a slot, quietly and with noise, is heard whole', async () => {
  const random = seeded(7);
  const samples = Float32Array.from(
    part(intact, 3_237, DURATION_MS),
    (sample) => sample * 0.1 + (random() - 0.5) * 0.01,
  );
  const pcm = { samples, sampleRate: intact.sampleRate };
  expectIntact(accountForTones(await throughOpus(pcm, 'quiet')));
});

test('silence before and after the tones is not a loss', () => {
  const silence = new Float32Array(intact.sampleRate);
  expectIntact(accountForTones(joined(silence, intact.samples, silence)));
});

for (const [fromMs, toMs] of [[4_123, 4_423], [5_000, 5_300], [6_049, 6_089], [7_080, 7_110]] as const) {
  test(`a cut of ${toMs - fromMs} ms at ${fromMs} ms is seen`, async () => {
    const cut = await throughOpus(withoutPart(intact, fromMs, toMs), 'cut');
    const account = accountForTones(cut);
    expect(account.unexpected, describeAccount(account)).toHaveLength(1);
    expectWithin(account.lostMs, toMs - fromMs, account);
    expectWithin(account.repeatedMs, 0, account);
  });
}

for (const [fromMs, toMs] of [[3_777, 3_977], [5_000, 5_200], [6_030, 6_060]] as const) {
  test(`a repeat of ${toMs - fromMs} ms at ${fromMs} ms is seen`, async () => {
    const repeated = await throughOpus(withRepeat(intact, fromMs, toMs), 'repeat');
    const account = accountForTones(repeated);
    expect(account.unexpected, describeAccount(account)).toHaveLength(1);
    expectWithin(account.repeatedMs, toMs - fromMs, account);
    expectWithin(account.lostMs, 0, account);
  });
}

for (const [aMs, bMs, cMs] of [[4_050, 4_350, 4_650], [4_000, 4_100, 4_200]] as const) {
  test(`parts of ${bMs - aMs} ms that changed places at ${aMs} ms are seen`, async () => {
    const swapped = await throughOpus(withSwap(intact, aMs, bMs, cMs), 'swap');
    const account = accountForTones(swapped);
    // Forward over the first part, back over both, forward over the second again.
    expect(account.unexpected, describeAccount(account)).toHaveLength(3);
    expectWithin(account.repeatedMs, cMs - aMs, account);
    expectWithin(account.lostMs, cMs - aMs, account);
  });
}

test('silence in place of tones is a hole of its length', async () => {
  const silenced = Float32Array.from(intact.samples);
  part({ samples: silenced, sampleRate: intact.sampleRate }, 4_120, 4_200).fill(0);
  const account = accountForTones(
    await throughOpus({ samples: silenced, sampleRate: intact.sampleRate }, 'hole'),
  );
  expect(account.holes, describeAccount(account)).toHaveLength(1);
  expectWithin(account.lostMs, 80, account);
});

test('a pause is expected once, at its length, and no second time', () => {
  const paused = withoutPart(intact, 5_020, 7_040);
  const account = accountForTones(paused, { expectedPauses: [2_000], pauseToleranceMs: 100 });
  expect(account.jumps).toHaveLength(1);
  expectWithin(account.jumps[0]?.lostMs ?? 0, 2_020, account);
  expectIntact(account);

  const alsoCut = joined(
    part(paused, 0, 8_000),
    part(paused, 8_300, DURATION_MS - 2_020),
  );
  const second = accountForTones(alsoCut, { expectedPauses: [2_000], pauseToleranceMs: 100 });
  expect(second.jumps).toHaveLength(2);
  expectWithin(second.lostMs, 300, second);
});

test('a new capture starts the code again, and loses nothing', () => {
  const account = accountForTones(
    joined(part(intact, 0, 5_040), part(intact, 30, 6_000)),
    { expectedRestarts: 1 },
  );
  expect(account.jumps).toHaveLength(1);
  expectIntact(account);
});

test('two hundred random cuts and repeats are measured', () => {
  const random = seeded(20_261);
  const source: Pcm = { ...generateTones(4_000, 16_000) };
  const between = (from: number, to: number): Float32Array => part(source, from, to);
  for (let i = 0; i < 200; i++) {
    const atMs = 1_000 + random() * 1_000;
    const lengthMs = 20 + random() * 800;
    const cut = i % 2 === 0;
    const parts = cut
      ? [between(0, atMs), between(atMs + lengthMs, 4_000)]
      : [between(0, atMs + lengthMs), between(atMs, 4_000)];
    const account = accountForTones({ ...joined(...parts), sampleRate: 16_000 });
    const claim = `${cut ? 'cut' : 'repeat'} of ${lengthMs} ms at ${atMs} ms: ${describeAccount(account)}`;
    const net = account.unexpected.reduce((sum, jump) => sum + jump.lostMs, 0);
    expect(Math.abs(net - (cut ? lengthMs : -lengthMs)), claim).toBeLessThanOrEqual(PRECISION_MS);
    expect(cut ? account.repeatedMs : account.lostMs, claim).toBeLessThanOrEqual(PRECISION_MS);
  }
});

test('speech, noise or silence is refused as "not the code"', () => {
  expect(() => accountForTones({ samples: new Float32Array(48_000), sampleRate: 48_000 })).toThrow(
    /can be heard/,
  );
});
