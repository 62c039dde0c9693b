/**
 * Says last and in few words what failed, and what passed only when it was tried again, each with
 * what the machine was held up by meanwhile. A browser's sound and pictures come in real time: while
 * its machine stands still nothing is captured, and no recorder could keep it. That is rare, so more
 * than a few such tests fail the run: the fault is not the machine's then.
 */
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** So many tests of a run may need more than one try. */
const TRIED_AGAIN_MAX = 4;
const ERROR_LENGTH_MAX = 600;

/** Milliseconds since the machine started, of each kind. */
interface HoldUps {
  /** Something was ready to run, and no core was free. */
  cpu: number;
  /** Something waited for the disk. */
  io: number;
  /** Other machines on the same host had this one's cores. */
  stolen: number;
}

interface FailedTry {
  test: TestCase;
  result: TestResult;
  heldUp: string;
}

export default class TriesReporter implements Reporter {
  private before: HoldUps | undefined;
  private readonly failedTries: FailedTry[] = [];

  printsToStdio(): boolean {
    return false;
  }

  onTestBegin(): void {
    this.before = readHoldUps();
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status !== 'skipped' && result.status !== test.expectedStatus) {
      const heldUp = describeHoldUps(this.before, readHoldUps(), result.duration);
      this.failedTries.push({ test, result, heldUp });
    }
  }

  async onEnd({ status }: FullResult): Promise<{ status: FullResult['status'] }> {
    for (const { test, result, heldUp } of this.failedTries) {
      const outcome = test.outcome() === 'flaky' ? 'passed when tried again' : 'failed';
      const { file, line } = test.location;
      const error = stripVTControlCharacters(result.error?.message ?? 'It gave no reason.');
      console.log(`\n${outcome}: ${test.title} (${file.split('/').at(-1)}:${line})`);
      console.log(`  try ${result.retry + 1}, ${(result.duration / 1000).toFixed(1)} s; ${heldUp}`);
      console.log(error.slice(0, ERROR_LENGTH_MAX).replaceAll(/^/gm, '  '));
    }
    const triedAgain = new Set(this.failedTries.map(({ test }) => test)).size;
    if (triedAgain > TRIED_AGAIN_MAX) {
      console.log(`\n${triedAgain} tests failed at first: more than ${TRIED_AGAIN_MAX} is no accident.`);
      return { status: 'failed' };
    }
    return { status };
  }
}

/** Nothing where the kernel does not count it. */
function readHoldUps(): HoldUps | undefined {
  try {
    return {
      cpu: pressureMs('cpu'),
      io: pressureMs('io'),
      stolen: stolenMs(),
    };
  } catch {
    return undefined;
  }
}

/** "some avg10=0.08 avg60=10.23 avg300=28.95 total=23671084163", in microseconds. */
function pressureMs(of: 'cpu' | 'io'): number {
  const text = readFileSync(`/proc/pressure/${of}`, 'utf8');
  return Number(/^some .*total=(\d+)$/m.exec(text)?.[1]) / 1000;
}

/** "cpu user nice system idle iowait irq softirq steal …", in hundredths of a second. */
function stolenMs(): number {
  const [total = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  return Number(total.split(/ +/)[8]) * 10;
}

function describeHoldUps(from: HoldUps | undefined, to: HoldUps | undefined, ms: number): string {
  if (!from || !to) {
    return 'the system does not tell what held it up';
  }
  const share = (kind: keyof HoldUps): string => `${Math.round(((to[kind] - from[kind]) * 100) / ms)} %`;
  return `waited for a core ${share('cpu')} of the time, for the disk ${share('io')}, stolen ${share('stolen')}`;
}
