/** The loss report as a page: everything in it is measured or stated by the tests. Pure. */
import { FAULTS, type Fault, type FaultId, type Row } from './fault-table.ts';
import { UNFILLED_PACKET_MS } from './loss.ts';

export interface Conditions {
  /** Whether the run was at full length. */
  full: boolean;
  machine: string;
  /** Programs and their versions. */
  versions: string[];
}

export interface Measured extends Row {
  passed: boolean;
  /** When, as in 2026-11-21. */
  date: string;
}

/** The rows of the newest run, and of those before it what the newest did not measure. */
export function latest(before: Measured[], measured: Measured[]): Measured[] {
  const ids = Object.keys(FAULTS) as FaultId[];
  const newest = (id: FaultId): Measured[] => {
    const row = measured.find((one) => one.id === id) ?? before.find((one) => one.id === id);
    return row ? [row] : [];
  };
  return ids.flatMap(newest);
}

export function lossDocument(conditions: Conditions, measured: Measured[]): string {
  const rows = Object.entries(FAULTS).map(([id, fault]) =>
    tableRow(fault, measured.find((row) => row.id === (id as FaultId))),
  );
  const notes = measured
    .filter(({ notes }) => notes !== '')
    .map(({ id, notes }) => `- **${FAULTS[id].fault}**: ${notes}.`);
  return `# What is lost, fault by fault

Made by \`make loss-report\`${conditions.full ? '' : ', **shortened**'}; nothing here was typed by hand. ${verdict(measured)}

A real Chromium records from a microphone that plays a code of tones, in which every 100 ms says
where it is. While it records, one fault after another is done to the page, the network, or the
server. The finished file is downloaded and decoded, and the tones are accounted for.

| fault while recording | allowed | lost | heard twice | marked gap | rest at the end | runs | measured on | best design in use today |
|---|---|---:|---:|---:|---:|---:|---|---|
${rows.join('\n')}

- **lost**: sound that the microphone had delivered before the fault and that is not in the file. Of
  several runs, the worst.
- **marked gap**: the time without a page, as the session's own timeline shows it.
- **rest at the end**: sound between the last tone in the file and the moment of the fault or of
  the stop button, everything included. Up to ${UNFILLED_PACKET_MS} ms of it never leaves the browser's recorder, with or
  without a fault, because it does not fill an Opus packet of 60 ms (and 6.5 ms of look-ahead); the
  first row shows it. What is above that is counted as lost.
- **best design in use today**: chunks of 1 s, IndexedDB first, deleted on ack, merged with ffmpeg,
  measured once with the same kind of microphone. Designs that keep a recording in memory lose all of it
  at any end of the page; designs that append to one file lose what the player does not play.

## What happened

${notes.join('\n')}

## How loss is measured

Inside a part of the recording the tones follow each other or they do not: a cut or a repeat is
timed to about 2 ms. At the end of a page there is nothing to follow, so a witness in the page reads
the same microphone track as the recorder, sample by sample. From the first tones it knows the
place in the code, and from the arrival of the samples the place at any time of the clock that page
and test share. The end of the page is when \`beforeunload\` fires, when the browser's process is
sent SIGKILL, or when a page that is about to crash gave its last sign of life, every 2 ms. The
place that the microphone had reached then, less the place where the file's part stops, is the rest
at the end. It is good to ±25 ms when the machine has nothing else to do: microphone buffers hold
10 ms. A busy machine hands them over late, to the witness as to the recorder; how late the slowest
tenth came in the last second is added. A rest that exceeds the unfilled packet by less than that
counts as 0 ms. The witness also counts what the recorders hand over: each byte of that must be on the
server. What a browser on a busy machine still held in its encoder when a page was left, up to 250 ms,
is shown as lost, and no row fails by it.

## Conditions

${conditions.machine} ${conditions.versions.join('; ')}. The browser, the server, the network
between them (a TCP proxy) and the tests share the machine.

## What was not tested

Firefox and Safari; phones and tablets; real microphones, Bluetooth and their drivers (the
microphone is a file, its clock is the machine's); real power cuts (a SIGKILL leaves the kernel's
page cache alive; what the server acks is fsynced, but the disk's word is taken for it); a laptop's
sleep; networks with real distance; several servers; video.
`;
}

function tableRow({ fault, allowed, today }: Fault, row: Measured | undefined): string {
  const cells = row
    ? [
        row.passed ? ms(row.lostMs) : `**${ms(row.lostMs)}, FAILED**`,
        ms(row.repeatedMs),
        row.gapMs === null ? '' : ms(row.gapMs),
        `${row.endMs.toLocaleString('en')} ± ${row.resolutionMs} ms`,
        String(row.runs),
        row.date,
      ]
    : ['not measured', '', '', '', '', ''];
  return `| ${[fault, allowed, ...cells, today ?? ''].join(' | ')} |`;
}

function verdict(measured: Measured[]): string {
  const total = Object.keys(FAULTS).length;
  const kept = measured.filter(({ passed }) => passed).length;
  return kept === total
    ? `All ${total} rows are within what is allowed.`
    : `**${kept} of ${total} rows are within what is allowed; the others failed or were not measured.**`;
}

function ms(figure: number): string {
  return `${figure.toLocaleString('en')} ms`;
}
