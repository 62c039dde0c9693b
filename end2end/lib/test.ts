/** What every browser test starts from: Chromium that hears the tone code, and a server of its own. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test as base, type LaunchOptions, type Page } from '@playwright/test';
import { writeWav } from './audio.ts';
import { RecordPage } from './record-page.ts';
import { Server } from './server.ts';
import { CODE_SLOTS, generateTones, SLOT_MS } from './tones.ts';

export { expect } from '@playwright/test';

const OUTPUT = resolve(import.meta.dirname, '../output');
/** Longer than most tests record. After it the microphone is silent. */
const TONES_MS = 180_000;
/** The code says the same again after this time, so that the microphone can go round for ever. */
const ENDLESS_TONES_MS = CODE_SLOTS * SLOT_MS;

interface TestFixtures {
  /** More arguments for `holdfast serve`. */
  serverFlags: string[];
  /** The start of a command that runs the server in surroundings of its own. */
  serverSurroundings: string[];
  server: Server;
  recordPage: RecordPage;
  /** What the page complained about on its console, and uncaught errors. */
  complaints: string[];
}

interface WorkerFixtures {
  /** For recordings of any length. The microphone still begins anew whenever it is opened. */
  endlessTones: boolean;
  launchOptions: LaunchOptions;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  endlessTones: [false, { option: true, scope: 'worker' }],

  launchOptions: [
    async ({ endlessTones }, use, workerInfo) => {
      const wav = join(OUTPUT, `tones-${workerInfo.parallelIndex}.wav`);
      await writeWav(wav, generateTones(endlessTones ? ENDLESS_TONES_MS : TONES_MS));
      await use({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: [
          ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
          '--disable-quic',
          '--no-first-run',
          '--disable-background-networking',
          '--disable-component-update',
          '--disable-sync',
          '--mute-audio',
          '--autoplay-policy=no-user-gesture-required',
          '--use-fake-device-for-media-stream',
          '--use-fake-ui-for-media-stream',
          `--use-file-for-fake-audio-capture=${wav}${endlessTones ? '' : '%noloop'}`,
        ],
      });
      await rm(wav, { force: true });
    },
    { scope: 'worker', timeout: 30_000 },
  ],

  serverFlags: [[], { option: true }],

  serverSurroundings: [[], { option: true }],

  server: async ({ serverFlags, serverSurroundings }, use, testInfo) => {
    const folder = testInfo.outputPath('server');
    const server = await Server.start(folder, serverFlags, serverSurroundings);
    try {
      await use(server);
    } finally {
      await testInfo.attach('server.log', { path: server.logPath });
      await server.close();
      await rm(server.dataDir, { recursive: true, force: true });
    }
  },

  baseURL: async ({ server }, use) => use(server.baseURL),

  recordPage: async ({ page }, use) => use(new RecordPage(page)),

  complaints: async ({ page }, use) => {
    const complaints: string[] = [];
    watchForComplaints(page, complaints);
    await use(complaints);
  },
});

function watchForComplaints(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
}
