/** The JSON API as the tests read it. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { expect, type APIRequestContext, type TestInfo } from '@playwright/test';
import { decode } from './audio.ts';
import type { Pcm } from './tones.ts';

export interface Session {
  id: string;
  status: string;
  created_at: string;
  last_heartbeat_at: string | null;
  completed_at: string | null;
  duration_ms: number;
  bytes: number;
  items: number;
  last_seq: number | null;
  /** Inclusive ranges. */
  missing: [number, number][];
  tracks: {
    track: number;
    kind: string;
    mime: string;
    label: string;
    segments: { segment: number; started_at_ms: number; duration_ms: number }[];
    /** Of the track's own file, in a session of several. */
    recording_url?: string | null;
    /** Of runs in other formats. */
    further_parts: { part: number; mime: string; recording_url: string; duration_ms: number }[];
  }[];
  recording_url: string | null;
  left_out_segments: number;
  payload_bytes: number;
  /** Nothing but silence was recorded; null while that is not known. */
  silent: boolean | null;
  receipt: { items: number; bytes: number; duration_ms: number; digest: string } | null;
}

export interface MissingChunks {
  missing: [number, number][];
  max_seq: number | null;
  total_chunks: number;
}

/** A session whose recording is made. */
export type CompletedSession = Session & {
  recording_url: string;
  receipt: NonNullable<Session['receipt']>;
};

export async function getSession(request: APIRequestContext, id: string): Promise<Session> {
  const response = await request.get(`/api/sessions/${id}`);
  expect(response.status()).toBe(200);
  return (await response.json()) as Session;
}

/** One picture of a session that records stills. */
export interface StillFrame {
  number: number;
  /** On the session's timeline. */
  at_ms: number;
  /** In the recording. */
  place_ms: number;
}

export async function getFrames(request: APIRequestContext, id: string): Promise<StillFrame[]> {
  const response = await request.get(`/api/sessions/${id}/frames`);
  expect(response.status()).toBe(200);
  return ((await response.json()) as { frames: StillFrame[] }).frames;
}

/** One entry of a session's event log. */
export interface SessionEvent {
  at: string;
  timeline_ms: number | null;
  kind: string;
  detail: Record<string, unknown>;
}

export async function getEvents(request: APIRequestContext, id: string): Promise<SessionEvent[]> {
  const response = await request.get(`/api/sessions/${id}/events`);
  expect(response.status()).toBe(200);
  return ((await response.json()) as { events: SessionEvent[] }).events;
}

/** The session, which must be whole: completed, nothing missing, a receipt for every item. */
export async function getWholeSession(
  request: APIRequestContext,
  id: string,
): Promise<CompletedSession> {
  const session = await getSession(request, id);
  expect(session.status).toBe('completed');
  expect(session.missing).toEqual([]);
  expect(session.recording_url).toBeTruthy();
  expect(session.last_seq).not.toBeNull();
  expect(session.items).toBe((session.last_seq as number) + 1);
  expect(session.receipt?.items).toBe(session.items);

  const response = await request.get(`/api/sessions/${id}/missing-chunks`);
  expect(response.status()).toBe(200);
  const chunks = (await response.json()) as MissingChunks;
  expect(chunks.missing).toEqual([]);
  expect(chunks.max_seq).toBe(session.last_seq);
  expect(chunks.total_chunks).toBe(session.items);
  return session as CompletedSession;
}

/** Fetches the finished recording, checks it against the receipt, and decodes it. */
export async function fetchRecording(
  request: APIRequestContext,
  session: CompletedSession,
  testInfo: TestInfo,
): Promise<{ bytes: Buffer; pcm: Pcm }> {
  const path = await saveRecording(request, session, testInfo);
  return { bytes: await readFile(path), pcm: await decode(path) };
}

/** Fetches the finished recording, checks it against the receipt, and tells where it is kept. */
export async function saveRecording(
  request: APIRequestContext,
  session: CompletedSession,
  testInfo: TestInfo,
): Promise<string> {
  const path = testInfo.outputPath('recording.webm');
  const bytes = await save(request, session.recording_url, path);
  expect(sha256(bytes)).toBe(session.receipt.digest);
  return path;
}

/** Fetches a file and keeps it. */
export async function save(
  request: APIRequestContext,
  url: string,
  path: string,
): Promise<Buffer> {
  const response = await request.get(url);
  expect(response.status(), url).toBe(200);
  const bytes = await response.body();
  await writeFile(path, bytes);
  return bytes;
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
