/**
 * Collects the rows of the fault table from the tests and writes them down: always into output/,
 * and those at full length also into docs/loss-report.md. What a run does not measure stays there as
 * it was measured last; docs/loss-report.json holds the figures.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';
import { ROW_ATTACHMENT, type Row } from './fault-table.ts';
import { latest, lossDocument, type Conditions, type Measured } from './loss-document.ts';

const OUTPUT = resolve(import.meta.dirname, '../output');
const DOCS = resolve(import.meta.dirname, '../../docs');
const BINARY = resolve(import.meta.dirname, '../../target/release/holdfast');

export default class LossReporter implements Reporter {
  private readonly measured: Measured[] = [];

  printsToStdio(): boolean {
    return false;
  }

  onTestEnd(_test: TestCase, result: TestResult): void {
    for (const { name, body } of result.attachments) {
      if (name === ROW_ATTACHMENT && body) {
        const row = JSON.parse(body.toString()) as Row;
        const date = new Date().toISOString().slice(0, 10);
        this.measured.push({ ...row, passed: result.status === 'passed', date });
      }
    }
  }

  async onEnd(): Promise<void> {
    if (this.measured.length === 0) {
      return;
    }
    const full = process.env.LOSS_REPORT === 'full';
    await write(OUTPUT, full, this.measured);
    if (full) {
      await write(DOCS, full, latest(await readRows(DOCS), this.measured));
    }
  }
}

async function write(folder: string, full: boolean, rows: Measured[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'loss-report.json'), `${JSON.stringify(rows, null, 2)}\n`);
  await writeFile(join(folder, 'loss-report.md'), lossDocument(conditions(full), rows));
}

/** None before the first full run. */
async function readRows(folder: string): Promise<Measured[]> {
  const text = await readFile(join(folder, 'loss-report.json'), 'utf8').catch(() => '[]');
  return JSON.parse(text) as Measured[];
}

function conditions(full: boolean): Conditions {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return {
    full,
    machine: `${cpus().length} cores, ${gigabytes} GB of memory, ${system()}.`,
    versions: [
      version(process.env.CHROMIUM ?? '/usr/bin/chromium', '--version'),
      version(BINARY, '--version'),
      version('ffmpeg', '-version').replace(/ Copyright.*/, ''),
    ],
  };
}

function system(): string {
  const release = readFileSync('/etc/os-release', 'utf8');
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? process.platform;
}

/** The first line of what a program says of itself. */
function version(program: string, argument: string): string {
  const said = execFileSync(program, [argument], { stdio: ['ignore', 'pipe', 'ignore'] });
  return (said.toString().split('\n')[0] ?? '').trim();
}
