import { defineConfig } from '@playwright/test';

const CI = Boolean(process.env.CI);
/** How long one run may take; the hours are those of `make loss-report` and `make soak-browser`. */
const LONG = process.env.LOSS_REPORT === 'full' || process.env.MINUTES !== undefined;
const GLOBAL_TIMEOUT_MS = LONG ? 5 * 3_600_000 : 45 * 60_000;

/**
 * Filming the page takes a third of a small machine: a recorder that is starved of CPU is not what
 * these tests measure.
 */
const TRACE_WITHOUT_FILM = { mode: 'retain-on-failure', screenshots: false, snapshots: false } as const;

/**
 * By `make test`; see tries-reporter.ts. Nothing else tries again, and what measures a loss never
 * does.
 */
const RETRIES = Number(process.env.RETRIES ?? 0);

export default defineConfig({
  testDir: 'tests',
  outputDir: 'output/results',
  forbidOnly: CI,
  fullyParallel: true,
  // One at a time, for the same reason.
  workers: 1,
  timeout: 90_000,
  globalTimeout: GLOBAL_TIMEOUT_MS,
  expect: { timeout: 10_000 },
  reporter: [['list'], ['./lib/loss-reporter.ts'], ['./lib/tries-reporter.ts']],
  use: {
    actionTimeout: 10_000,
    navigationTimeout: 15_000,
    screenshot: 'only-on-failure',
    trace: LONG ? 'off' : TRACE_WITHOUT_FILM,
  },
  projects: [
    { name: 'unit', testMatch: /\.unit\.spec\.ts$/ },
    {
      name: 'browser',
      testIgnore: ['**/*.unit.spec.ts', '**/tests/faults/**'],
      retries: RETRIES,
    },
    { name: 'faults', testDir: 'tests/faults' },
  ],
});
