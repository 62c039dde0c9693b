import { defineConfig } from '@playwright/test';

const CI = Boolean(process.env.CI);

export default defineConfig({
  testDir: 'tests',
  outputDir: 'output/results',
  forbidOnly: CI,
  fullyParallel: true,
  // One at a time: a recorder that is starved of CPU is not what these tests measure.
  workers: 1,
  retries: 0,
  timeout: 90_000,
  globalTimeout: 20 * 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    actionTimeout: 10_000,
    navigationTimeout: 15_000,
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
  },
  projects: [
    { name: 'unit', testMatch: /\.unit\.spec\.ts$/ },
    { name: 'browser', testMatch: /\.spec\.ts$/, testIgnore: /\.unit\.spec\.ts$/ },
  ],
});
