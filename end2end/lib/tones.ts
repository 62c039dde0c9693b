/**
 * The tone code: sound in which every 100 ms says where it is.
 *
 * Slot k of the code carries two tones at once, one from a ring of 25 and one from a ring of 24.
 * Together they name k modulo 600, so a minute of sound never says the same thing twice. The
 * frequencies lie 110 Hz apart between 500 and 5800 Hz, which Opus keeps, and neighbouring slots
 * are always far apart in frequency, so that the edge between them can be timed to a millisecond.
 *
 * `accountForTones` follows the edges. At an edge between slot k and slot k+1 the position in the
 * code is known exactly; the difference between that and the position in the file is constant as
 * long as nothing is lost or repeated, and every step in it is a cut, measured in milliseconds.
 */

/** Mono samples between -1 and 1. */
export interface Pcm {
  samples: Float32Array;
  sampleRate: number;
}

export const SLOT_MS = 100;
const RING_A = 25;
const RING_B = 24;
/** After so many slots the code starts again. */
export const CODE_SLOTS = RING_A * RING_B;
const LOWEST_HZ = 500;
const SPACING_HZ = 110;
/** Neighbouring slots are this many places apart on their ring (coprime to both ring sizes). */
const STRIDE = 7;
const TONE_AMPLITUDE = 0.25;
const EDGE_FADE_MS = 2;

const HOP_MS = 5;
const WINDOW_MS = 20;
/** Shorter runs of one slot are what the window sees while it slides over an edge. */
const RUN_HOPS_MIN = 4;
/** Steps smaller than this are not cuts: the edges are timed to about 2 ms. */
const STEP_MS_MIN = 8;
/** A window is silent when it has less than this share of the median window's energy. */
const SILENT_SHARE = 0.05;
/** A window is unreadable when less than this share of its energy lies in its two tones. */
const PURE_SHARE = 0.35;
/** Holes shorter than this are the blur of a codec at an edge. */
const HOLE_MS_MIN = 20;

const frequenciesA = Array.from({ length: RING_A }, (_, i) => LOWEST_HZ + i * SPACING_HZ);
const frequenciesB = Array.from(
  { length: RING_B },
  (_, i) => LOWEST_HZ + (RING_A + i) * SPACING_HZ,
);

/** The pair of frequencies that slot `slot` carries. */
export function tonesOfSlot(slot: number): [number, number] {
  return [
    frequenciesA[(slot * STRIDE) % RING_A] as number,
    frequenciesB[(slot * STRIDE) % RING_B] as number,
  ];
}

/** `slotOfRings[a][b]` is the slot, modulo `CODE_SLOTS`, that carries tone a and tone b. */
const slotOfRings: number[][] = (() => {
  const table = Array.from({ length: RING_A }, () => new Array<number>(RING_B).fill(0));
  for (let slot = 0; slot < CODE_SLOTS; slot++) {
    (table[(slot * STRIDE) % RING_A] as number[])[(slot * STRIDE) % RING_B] = slot;
  }
  return table;
})();

/** The code from its beginning. */
export function generateTones(durationMs: number, sampleRate = 48_000): Pcm {
  const samples = new Float32Array(Math.round((durationMs * sampleRate) / 1000));
  const slotLength = (SLOT_MS * sampleRate) / 1000;
  const fadeLength = (EDGE_FADE_MS * sampleRate) / 1000;
  for (let i = 0; i < samples.length; i++) {
    const slot = Math.floor(i / slotLength);
    const inSlot = i - slot * slotLength;
    const [a, b] = tonesOfSlot(slot % CODE_SLOTS);
    const toEdge = Math.min(inSlot + 0.5, slotLength - inSlot - 0.5);
    const fade = toEdge < fadeLength ? Math.sin((Math.PI / 2) * (toEdge / fadeLength)) : 1;
    const t = (2 * Math.PI * inSlot) / sampleRate;
    samples[i] = TONE_AMPLITUDE * fade * (Math.sin(a * t) + Math.sin(b * t));
  }
  return { samples, sampleRate };
}

/** A run of one slot as heard in a file. `slot` counts on from the first one, over the code's end. */
export interface HeardSlot {
  slot: number;
  fromMs: number;
  toMs: number;
}

/** A place in the file where the code does not go on as it should. */
export interface Jump {
  /** Where in the file. */
  fileMs: number;
  /** The code's position just before and just after, counted from the code's beginning. */
  codeFromMs: number;
  codeToMs: number;
  /** Milliseconds of the code that are not in the file; negative when they are repeated. */
  lostMs: number;
  /** Whether `expectedPauses` or `expectedRestarts` explains it. */
  expected: boolean;
}

/** A stretch of the file, between first and last tone, in which no tone could be read. */
export interface Hole {
  fromMs: number;
  toMs: number;
}

export interface Expectations {
  /**
   * The deliberate pauses in order, in milliseconds: while a recorder is paused the code goes on.
   * A pause explains one jump forward of about that length.
   */
  expectedPauses?: number[];
  /** How far a jump may be from the length of its pause. */
  pauseToleranceMs?: number;
  /** How often the source began again at the code's beginning: once for every new capture. */
  expectedRestarts?: number;
}

export interface Account {
  slots: HeardSlot[];
  /** Every jump, expected or not, in the order of the file. */
  jumps: Jump[];
  unexpected: Jump[];
  /** Silent or unreadable stretches. */
  holes: Hole[];
  /** Milliseconds lost at unexpected jumps, and in holes. */
  lostMs: number;
  /** Milliseconds that are in the file more than once, or out of order. */
  repeatedMs: number;
  /** What remains when the jumps are taken away: the drift of one clock against the other. */
  driftMs: number;
  /** First and last edge heard, as positions in the file. */
  firstEdgeMs: number;
  lastEdgeMs: number;
  /** The code's position at these two edges. */
  firstEdgeCodeMs: number;
  lastEdgeCodeMs: number;
}

interface Hop {
  /** Slot modulo `CODE_SLOTS`, or -1 when silent or unreadable. */
  label: number;
  silent: boolean;
  powerA: Float64Array;
  powerB: Float64Array;
}

/** Reads the code in `pcm` and says what is missing, repeated or out of order. */
export function accountForTones(pcm: Pcm, expectations: Expectations = {}): Account {
  const hops = listen(pcm);
  const slots = unwrap(runsOf(hops));
  if (slots.length < 3) {
    throw new Error(`only ${slots.length} slots of the tone code can be heard`);
  }
  const edges = edgesOf(slots, hops);
  const first = edges[0];
  const last = edges.at(-1);
  if (!first || !last || edges.length < 2) {
    throw new Error('no two edges of the tone code can be heard');
  }
  const jumps = jumpsOf(edges, slots);
  markExpected(jumps, expectations);
  const holes = holesOf(hops, slots);
  const unexpected = jumps.filter((jump) => !jump.expected);
  const steps = jumps.reduce((sum, jump) => sum + jump.lostMs, 0);
  return {
    slots,
    jumps,
    unexpected,
    holes,
    lostMs:
      unexpected.reduce((sum, jump) => sum + Math.max(0, jump.lostMs), 0) +
      holes.reduce((sum, hole) => sum + hole.toMs - hole.fromMs, 0),
    repeatedMs: unexpected.reduce((sum, jump) => sum + Math.max(0, -jump.lostMs), 0),
    driftMs: last.codeMs - last.fileMs - (first.codeMs - first.fileMs) - steps,
    firstEdgeMs: first.fileMs,
    lastEdgeMs: last.fileMs,
    firstEdgeCodeMs: first.codeMs,
    lastEdgeCodeMs: last.codeMs,
  };
}

/** One line for a log or a failed assertion. */
export function describeAccount(account: Account): string {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const jumps = account.jumps.map(
    (jump) =>
      `${ms(jump.lostMs)} at ${ms(jump.fileMs)}${jump.expected ? ' (expected)' : ' (UNEXPECTED)'}`,
  );
  const holes = account.holes.map((hole) => `${ms(hole.fromMs)} to ${ms(hole.toMs)}`);
  return [
    `heard ${ms(account.lastEdgeMs - account.firstEdgeMs)} in ${account.slots.length} slots`,
    `lost ${ms(account.lostMs)}`,
    `repeated ${ms(account.repeatedMs)}`,
    `drift ${account.driftMs.toFixed(1)} ms`,
    `jumps [${jumps.join(', ')}]`,
    `holes [${holes.join(', ')}]`,
  ].join('; ');
}

/** The strength of every tone, and the slot they name, every 5 ms. Hop j is centred on j * 5 ms. */
function listen({ samples, sampleRate }: Pcm): Hop[] {
  const windowLength = Math.round((WINDOW_MS * sampleRate) / 1000);
  const hopLength = (HOP_MS * sampleRate) / 1000;
  const hann = Float64Array.from(
    { length: windowLength },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / windowLength),
  );
  // A sine of amplitude x has the windowed energy x²/2·Σw² and the Goertzel power x²/4·(Σw)²,
  // so this factor makes the power of a pure tone equal to its share of the window's energy.
  const sum = hann.reduce((total, w) => total + w, 0);
  const sumOfSquares = hann.reduce((total, w) => total + w * w, 0);
  const toEnergy = (2 * sumOfSquares) / (sum * sum);

  const hopCount = Math.floor(samples.length / hopLength);
  const windowed = new Float64Array(windowLength);
  const energies = new Float64Array(hopCount);
  const hops: Hop[] = [];
  for (let j = 0; j < hopCount; j++) {
    const start = Math.round(j * hopLength - windowLength / 2);
    let energy = 0;
    for (let i = 0; i < windowLength; i++) {
      const value = (samples[start + i] ?? 0) * (hann[i] as number);
      windowed[i] = value;
      energy += value * value;
    }
    energies[j] = energy;
    const powerA = powersOf(frequenciesA, windowed, sampleRate, toEnergy);
    const powerB = powersOf(frequenciesB, windowed, sampleRate, toEnergy);
    const a = indexOfMax(powerA);
    const b = indexOfMax(powerB);
    const pure = (powerA[a] as number) + (powerB[b] as number) > PURE_SHARE * energy;
    const label = pure ? ((slotOfRings[a] as number[])[b] as number) : -1;
    hops.push({ label, silent: false, powerA, powerB });
  }
  const floor = SILENT_SHARE * median(energies.filter((energy) => energy > 1e-6));
  hops.forEach((hop, j) => {
    if (!((energies[j] as number) > floor)) {
      hop.silent = true;
      hop.label = -1;
    }
  });
  return hops;
}

/** Goertzel's algorithm for each frequency. */
function powersOf(
  frequencies: number[],
  windowed: Float64Array,
  sampleRate: number,
  scale: number,
): Float64Array {
  const powers = new Float64Array(frequencies.length);
  for (let f = 0; f < frequencies.length; f++) {
    const coefficient = 2 * Math.cos((2 * Math.PI * (frequencies[f] as number)) / sampleRate);
    let previous = 0;
    let beforeThat = 0;
    for (let i = 0; i < windowed.length; i++) {
      const current = (windowed[i] as number) + coefficient * previous - beforeThat;
      beforeThat = previous;
      previous = current;
    }
    powers[f] =
      scale *
      (previous * previous + beforeThat * beforeThat - coefficient * previous * beforeThat);
  }
  return powers;
}

interface Run {
  label: number;
  firstHop: number;
  lastHop: number;
}

/** Runs of hops that name the same slot; runs too short to be anything but an edge are left out. */
function runsOf(hops: Hop[]): Run[] {
  const runs: Run[] = [];
  hops.forEach((hop, j) => {
    const open = runs.at(-1);
    if (open && open.label === hop.label) {
      open.lastHop = j;
    } else {
      runs.push({ label: hop.label, firstHop: j, lastHop: j });
    }
  });
  const kept: Run[] = [];
  for (const run of runs) {
    if (run.label < 0 || run.lastHop - run.firstHop + 1 < RUN_HOPS_MIN) {
      continue;
    }
    // The same slot again, after a blur or a short hole: still the same run.
    const before = kept.at(-1);
    if (before && before.label === run.label) {
      before.lastHop = run.lastHop;
    } else {
      kept.push({ ...run });
    }
  }
  return kept;
}

/** Counts the slots on over the end of the code, taking the nearer way round at every jump. */
function unwrap(runs: Run[]): HeardSlot[] {
  const slots: HeardSlot[] = [];
  let slot = 0;
  runs.forEach((run, i) => {
    const before = runs[i - 1];
    if (!before) {
      slot = run.label;
    } else {
      const forward = (run.label - before.label + CODE_SLOTS) % CODE_SLOTS;
      slot += forward > CODE_SLOTS / 2 ? forward - CODE_SLOTS : forward;
    }
    slots.push({ slot, fromMs: run.firstHop * HOP_MS, toMs: (run.lastHop + 1) * HOP_MS });
  });
  return slots;
}

/** A place where the position in the code and the position in the file are both known. */
interface Edge {
  /** The index in `slots` of the slot that begins here. */
  index: number;
  fileMs: number;
  codeMs: number;
}

/** The edges between a slot and the one that should follow it, timed between hops. */
function edgesOf(slots: HeardSlot[], hops: Hop[]): Edge[] {
  const edges: Edge[] = [];
  for (let index = 1; index < slots.length; index++) {
    if (!followsInOrder(slots, index)) {
      continue;
    }
    const before = slots[index - 1] as HeardSlot;
    const after = slots[index] as HeardSlot;
    const fromHop = Math.max(0, Math.round(before.toMs / HOP_MS) - 3);
    const toHop = Math.min(hops.length - 1, Math.round(after.fromMs / HOP_MS) + 2);
    const fileMs = crossing(hops, fromHop, toHop, before.slot, after.slot);
    if (fileMs !== undefined) {
      edges.push({ index, fileMs, codeMs: after.slot * SLOT_MS });
    }
  }
  return edges;
}

function followsInOrder(slots: HeardSlot[], index: number): boolean {
  return (slots[index] as HeardSlot).slot === (slots[index - 1] as HeardSlot).slot + 1;
}

/** Where the tones of `after` become as strong as those of `before`; unknown inside a hole. */
function crossing(
  hops: Hop[],
  fromHop: number,
  toHop: number,
  before: number,
  after: number,
): number | undefined {
  const lead = (j: number): number => {
    const hop = hops[j] as Hop;
    return Math.log((strength(hop, after) + 1e-12) / (strength(hop, before) + 1e-12));
  };
  for (let j = fromHop; j < toHop; j++) {
    if ((hops[j] as Hop).silent || (hops[j + 1] as Hop).silent) {
      continue;
    }
    const here = lead(j);
    const next = lead(j + 1);
    if (here <= 0 && next > 0) {
      return (j + here / (here - next)) * HOP_MS;
    }
  }
  return undefined;
}

function strength(hop: Hop, slot: number): number {
  const place = (((slot % CODE_SLOTS) + CODE_SLOTS) % CODE_SLOTS) * STRIDE;
  return (hop.powerA[place % RING_A] as number) + (hop.powerB[place % RING_B] as number);
}

/** The steps in (position in the code − position in the file); steps at one cut are one jump. */
function jumpsOf(edges: Edge[], slots: HeardSlot[]): Jump[] {
  const first = edges[0] as Edge;
  const last = edges.at(-1) as Edge;
  const jumps = roughJumps(slots, 1, first.index);
  let openStepEdge = -2;
  for (let i = 1; i < edges.length; i++) {
    const before = edges[i - 1] as Edge;
    const after = edges[i] as Edge;
    const lostMs = after.codeMs - before.codeMs - (after.fileMs - before.fileMs);
    const rough = roughJumps(slots, before.index + 1, after.index);
    if (rough.length > 1) {
      // Several cuts without an edge between them, say two slots that changed places: whole slots
      // for all but the last one, which makes the sum exact.
      const others = rough.slice(0, -1).reduce((sum, jump) => sum + jump.lostMs, 0);
      (rough.at(-1) as Jump).lostMs = lostMs - others;
      jumps.push(...rough);
      continue;
    }
    if (Math.abs(lostMs) < STEP_MS_MIN) {
      continue;
    }
    const open = jumps.at(-1);
    // A cut inside two neighbouring slots leaves the edge between them in place and shortens
    // both: two steps of one sign for one cut.
    if (open && openStepEdge === i - 1 && Math.sign(open.lostMs) === Math.sign(lostMs)) {
      open.lostMs += lostMs;
      open.codeToMs = after.codeMs;
    } else {
      jumps.push({
        fileMs: before.fileMs,
        codeFromMs: before.codeMs,
        codeToMs: after.codeMs,
        lostMs,
        expected: false,
      });
    }
    openStepEdge = i;
  }
  return [...jumps, ...roughJumps(slots, last.index + 1, slots.length)];
}

/** The places among `slots[from..to]` where the order breaks, in whole slots. */
function roughJumps(slots: HeardSlot[], from: number, to: number): Jump[] {
  const jumps: Jump[] = [];
  for (let index = from; index < to; index++) {
    if (!followsInOrder(slots, index)) {
      const before = slots[index - 1] as HeardSlot;
      const after = slots[index] as HeardSlot;
      jumps.push({
        fileMs: after.fromMs,
        codeFromMs: (before.slot + 1) * SLOT_MS,
        codeToMs: after.slot * SLOT_MS,
        lostMs: (after.slot - before.slot - 1) * SLOT_MS,
        expected: false,
      });
    }
  }
  return jumps;
}

function markExpected(jumps: Jump[], expectations: Expectations): void {
  const pauses = [...(expectations.expectedPauses ?? [])];
  const toleranceMs = expectations.pauseToleranceMs ?? 500;
  let restarts = expectations.expectedRestarts ?? 0;
  for (const jump of jumps) {
    const toSlot = Math.round(jump.codeToMs / SLOT_MS);
    const inCode = ((toSlot % CODE_SLOTS) + CODE_SLOTS) % CODE_SLOTS;
    const pause = pauses[0];
    if (pause !== undefined && Math.abs(jump.lostMs - pause) <= toleranceMs) {
      pauses.shift();
      jump.expected = true;
    } else if (restarts > 0 && inCode <= 2_000 / SLOT_MS) {
      restarts -= 1;
      jump.expected = true;
    }
  }
}

/** Silent stretches, and stretches in which the tones drown in something else. */
function holesOf(hops: Hop[], slots: HeardSlot[]): Hole[] {
  const fromHop = Math.round((slots[0] as HeardSlot).fromMs / HOP_MS);
  const toHop = Math.round((slots.at(-1) as HeardSlot).toMs / HOP_MS);
  const holes: Hole[] = [];
  let start: number | undefined;
  let silent = false;
  for (let j = fromHop; j <= toHop; j++) {
    const hop = hops[j];
    if (hop && hop.label < 0 && j < toHop) {
      start ??= j;
      silent ||= hop.silent;
    } else if (start !== undefined) {
      // A window only counts as silent when hardly any of it has sound: add what it has lost.
      const blurMs = silent ? WINDOW_MS / 2 : 0;
      const hole = { fromMs: start * HOP_MS - blurMs / 2, toMs: j * HOP_MS - HOP_MS + blurMs / 2 };
      if (hole.toMs - hole.fromMs >= HOLE_MS_MIN) {
        holes.push(hole);
      }
      start = undefined;
      silent = false;
    }
  }
  return holes;
}

function indexOfMax(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if ((values[i] as number) > (values[best] as number)) {
      best = i;
    }
  }
  return best;
}

function median(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
