/** What every test of the fault table starts from: a network to be cruel with, and a witness. */
import { writeFile } from 'node:fs/promises';
import {
  request as requests,
  type APIRequestContext,
  type BrowserContext,
  type Page,
  type TestInfo,
} from '@playwright/test';
import {
  fetchRecording,
  getSession,
  getWholeSession,
  type CompletedSession,
  type Session,
} from './api.ts';
import { decode } from './audio.ts';
import { handedOver, measureLoss, type Loss, type Part } from './loss.ts';
import { Proxy } from './proxy.ts';
import type { RecordPage } from './record-page.ts';
import { expect, test as base } from './test.ts';
import { installWitness, readCapture, readPageEnd } from './witness.ts';

export { expect } from './test.ts';

interface FaultFixtures {
  /** Between the pages and the server. */
  network: Proxy;
  /** Straight to the server, whatever the network does. */
  api: APIRequestContext;
}

export const test = base.extend<FaultFixtures>({
  network: async ({ server }, use) => {
    const network = await Proxy.start(server.port);
    await use(network);
    await network.close();
  },

  baseURL: async ({ network }, use) => use(network.baseURL),

  api: async ({ server }, use) => {
    const api = await requests.newContext({ baseURL: server.baseURL });
    await use(api);
    await api.dispose();
  },

  context: async ({ context }, use) => {
    await installWitness(context);
    acceptLeaving(context);
    await use(context);
  },
});

/** Whoever leaves while recording is asked whether they mean it: they do. */
export function acceptLeaving(context: BrowserContext): void {
  context.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
}

/** What a page that lived on after it was told to end did with the time. */
export function describeLivingOn(parts: Part[], losses: Loss[]): string {
  const livedOnMs = Math.max(...parts.map((part) => part.livedOnMs ?? 0));
  const lackMs = Math.round(Math.max(...losses.map((loss) => loss.afterEndMs)));
  return `the page lived on for up to ${livedOnMs} ms after it was told to end, of which up to ${lackMs} ms are not in the file`;
}

/** Presses the stop button, and gives what was recorded since the recorder last started. */
export async function pressStop({ page, stopButton }: RecordPage): Promise<Part> {
  await stopButton.click();
  await page.waitForFunction(() => window.holdfastWitness.captures.at(-1)?.stoppedAt);
  const clickedAt = await page.evaluate(() => window.holdfastWitness.clickedAt);
  return { capture: await readCapture(page), endedAt: clickedAt, unfilledMs: 0 };
}

/** Stops, and measures the whole recording, to which earlier pages gave `before`. */
export async function stopAndMeasure(
  recordPage: RecordPage,
  api: APIRequestContext,
  testInfo: TestInfo,
  before: Part[] = [],
): Promise<{ session: CompletedSession; loss: Loss }> {
  const part = await pressStop(recordPage);
  const id = await recordPage.expectDone(60_000);
  const handedOverBytes = await recordPage.page.evaluate(
    () => window.holdfastWitness.handedOverBytes,
  );
  return measureWhole(id, api, testInfo, [...before, { ...part, handedOverBytes }]);
}

/**
 * The same after a page that ended without warning: of a chunk that it was just about to write down
 * the number may be known and nothing else.
 */
export async function stopAndMeasureAfterCrash(
  recordPage: RecordPage,
  api: APIRequestContext,
  testInfo: TestInfo,
  before: Part,
): Promise<Loss> {
  const part = await pressStop(recordPage);
  const session = await getSession(api, await recordPage.expectDone(60_000));
  expect(session.status).toBe('completed');
  const { pcm } = await fetchRecording(api, session as CompletedSession, testInfo);
  return measureLoss(session, pcm, [before, part]);
}

function expectAllBytes(session: Session, parts: Part[]): void {
  const handedOverBytes = handedOver(parts);
  if (handedOverBytes !== undefined) {
    const what = 'every byte that a recorder handed over';
    expect(session.payload_bytes, what).toBeGreaterThanOrEqual(handedOverBytes);
  }
}

/** Measures a session that is completed and must be whole. */
export async function measureWhole(
  id: string,
  api: APIRequestContext,
  testInfo: TestInfo,
  parts: Part[],
): Promise<{ session: CompletedSession; loss: Loss }> {
  const session = await getWholeSession(api, id);
  expectAllBytes(session, parts);
  const { pcm } = await fetchRecording(api, session, testInfo);
  return { session, loss: measureLoss(session, pcm, parts) };
}

/** Measures the file that the server made of what it has of a session nobody came back to. */
export async function measureIncomplete(
  id: string,
  api: APIRequestContext,
  testInfo: TestInfo,
  part: Part,
): Promise<Loss> {
  const session = await getSession(api, id);
  expect(session.status).toBe('incomplete');
  expect(session.missing).toEqual([]);
  expectAllBytes(session, [part]);
  const response = await api.get(session.recording_url ?? '');
  expect(response.status()).toBe(200);
  const path = testInfo.outputPath('incomplete.webm');
  await writeFile(path, await response.body());
  return measureLoss(session, await decode(path), [part]);
}

/**
 * Ends the page by `leave`, and tells when the page was told so. `reader` is a page of the same
 * origin that can read the notes of the one that is gone.
 */
export async function recordedUntilUnload(
  page: Page,
  leave: () => Promise<unknown>,
  reader: Page = page,
): Promise<Part> {
  const capture = await readCapture(page);
  const leftAt = Date.now();
  await leave();
  const end = await readPageEnd(reader);
  expect(end.beforeUnloadAt, 'the notes are those of this page').toBeGreaterThanOrEqual(leftAt);
  return {
    capture,
    endedAt: end.beforeUnloadAt,
    livedOnMs: end.pageHideAt - end.beforeUnloadAt,
    handedOverBytes: end.handedOverBytes,
  };
}
