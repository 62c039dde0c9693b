/** The fault table: what may go wrong while recording, and how much of it may be lost. */

export interface Fault {
  /** As the report names it. */
  fault: string;
  /** As the report states the promise. */
  allowed: string;
  /** The same as a number. */
  allowedLostMs: number;
  /**
   * What the best design in use today loses, measured with the same kind of microphone: chunks of
   * 1 s, IndexedDB first, deleted on ack, merged with ffmpeg. Unknown where it was not measured.
   */
  today?: string;
}

/** One timeslice of the recorder. */
const TIMESLICE_MS = 250;

export const FAULTS = {
  none: {
    fault: 'none: started, stopped with the button',
    allowed: '0 ms',
    allowedLostMs: 0,
  },
  'network-cut': {
    fault: 'network cut: every connection is reset, then everything vanishes in a black hole',
    allowed: '0 ms',
    allowedLostMs: 0,
  },
  'network-silent': {
    fault: 'network goes silent under an open connection, with no reset',
    allowed: '0 ms',
    allowedLostMs: 0,
  },
  'server-kills': {
    fault: 'server killed with -9 and restarted, again and again',
    allowed: '0 ms, no duplicate',
    allowedLostMs: 0,
  },
  'commit-no-ack': {
    fault: 'server killed between commit and ack',
    allowed: '0 ms, no duplicate',
    allowedLostMs: 0,
  },
  reload: {
    fault: 'reload (F5), resumed',
    allowed: '0 ms of what was captured before unload',
    allowedLostMs: 0,
    today: '200–500 ms',
  },
  'reload-unread': {
    fault: 'reload in a browser that gives out the bytes of a chunk only later, resumed',
    allowed: '0 ms of what was captured before unload',
    allowedLostMs: 0,
    today: '200–500 ms',
  },
  'reload-slow': {
    fault: 'reload on a slow network, resumed',
    allowed: '0 ms of what was captured before unload',
    allowedLostMs: 0,
    today: '200–500 ms',
  },
  'reload-offline': {
    fault: 'reload while the server is away, resumed, server back later',
    allowed: '0 ms of what was captured before unload',
    allowedLostMs: 0,
  },
  'reload-memory-only': {
    fault: 'reload with 2 s in memory only: the server is away, and the IndexedDB quota used up',
    allowed: '0 ms of what was captured before unload',
    allowedLostMs: 0,
  },
  navigation: {
    fault: 'navigation away and back, resumed',
    allowed: '0 ms of what was captured before unload',
    allowedLostMs: 0,
    today: '200–500 ms',
  },
  'tab-crash': {
    fault: 'tab crashed, resumed in a new one',
    allowed: 'one timeslice, 250 ms',
    allowedLostMs: TIMESLICE_MS,
  },
  'browser-kill': {
    fault: 'browser killed with -9, started again on the same profile, resumed',
    allowed: 'one timeslice, 250 ms',
    allowedLostMs: TIMESLICE_MS,
    today: '200–500 ms',
  },
  'closed-tab': {
    fault: 'tab closed, nobody comes back',
    allowed: '0 ms of what was captured before the close; a playable file, status Incomplete',
    allowedLostMs: 0,
    today: '300–1,000 ms',
  },
  'after-grace': {
    fault: 'comes back after the grace period, resumes',
    allowed: 'one file, both parts',
    allowedLostMs: 0,
    today: '300–1,000 ms',
  },
  'offline-stop': {
    fault: 'stop pressed while offline, tab closed, opened again later',
    allowed: '0 ms',
    allowedLostMs: 0,
  },
  'thrice-unordered': {
    fault: 'every item sent three times and out of order',
    allowed: 'stored once',
    allowedLostMs: 0,
  },
  'flipped-byte': {
    fault: 'one byte of a payload flipped on the way, now and then',
    allowed: 'refused, sent again, 0 ms',
    allowedLostMs: 0,
  },
  'second-tab': {
    fault: 'second tab on the same session takes over',
    allowed: 'one recording, not interleaved',
    allowedLostMs: 0,
  },
  'disk-full': {
    fault: "server's disk full",
    allowed: '0 ms',
    allowedLostMs: 0,
  },
  quota: {
    fault: 'IndexedDB quota reached: every write is aborted',
    allowed: '0 ms while the server is reachable, and a loud notice',
    allowedLostMs: 0,
  },
  'browser-disk-full': {
    fault: "the computer's disk full, so that the browser cannot write at all",
    allowed: '0 ms while the server is reachable, and a loud notice',
    allowedLostMs: 0,
  },
  'giant-chunk': {
    fault: '50 MB chunk',
    allowed: 'split, 0 ms',
    allowedLostMs: 0,
  },
  soak: {
    fault: 'random faults every few seconds, for as long as it says',
    allowed: '0 ms beyond the time without a page; browser memory flat',
    allowedLostMs: 0,
  },
} satisfies Record<string, Fault>;

export type FaultId = keyof typeof FAULTS;

/** What a test measured. Figures of several runs are those of the worst. */
export interface Row {
  id: FaultId;
  /** Beyond the packet that the browser's recorder had not filled. */
  lostMs: number;
  repeatedMs: number;
  /** Time without a page or without a recorder that the session's timeline marks as a gap. */
  gapMs: number | null;
  /** Captured sound after the last tone of a part, the unfilled packet included. */
  endMs: number;
  /** How well that is timed. */
  resolutionMs: number;
  runs: number;
  notes: string;
}

export const ROW_ATTACHMENT = 'loss-row';
