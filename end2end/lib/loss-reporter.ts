/**
 * Collects the rows of the fault table from the tests and writes them down: always into output/,
 * and after a full run as docs/loss-report.md.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';
import { ROW_ATTACHMENT, type Row } from './fault-table.ts';
import { lossDocument, type Conditions, type Measured } from './loss-document.ts';

const OUTPUT = resolve(import.meta.dirname, '../output');
const DOCUMENT = resolve(import.meta.dirname, '../../docs/loss-report.md');
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
        this.measured.push({ ...row, passed: result.status === 'passed' });
      }
    }
  }

  async onEnd(): Promise<void> {
    if (this.measured.length === 0) {
      return;
    }
    const full = process.env.LOSS_REPORT === 'full';
    const document = lossDocument(conditions(full), this.measured);
    await mkdir(OUTPUT, { recursive: true });
    await writeFile(join(OUTPUT, 'loss-report.json'), JSON.stringify(this.measured, null, 2));
    await writeFile(join(OUTPUT, 'loss-report.md'), document);
    if (full) {
      await writeFile(DOCUMENT, document);
    }
  }
}

function conditions(full: boolean): Conditions {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
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
