/** The record page's storage, as a test fills it and looks into it: the spool, and the notes beside it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from '@playwright/test';

/** Bytes are `{ bytes }` in base64, as in the notes. */
export interface Spool {
  sessions: [key: string, value: Record<string, unknown>][];
  items: [key: [session: string, seq: number], value: Record<string, unknown>][];
  localStorage: [key: string, value: string][];
}

/** A recording of 2.4 s that was never delivered, as the last release left it. */
export function spoolOfVersion1(): Spool {
  const path = resolve(import.meta.dirname, '../../protocol/tests/golden/spool-v1.json');
  return JSON.parse(readFileSync(path, 'utf8')) as Spool;
}

/** Has the page find `spool`. To be called on a page of the server that leaves its storage alone. */
export async function plantSpool(page: Page, spool: Spool): Promise<void> {
  await page.evaluate(async (text) => {
    const toBytes = (_: string, part: { bytes?: string } | null): unknown =>
      part?.bytes === undefined
        ? part
        : Uint8Array.from(atob(part.bytes), (character) => character.charCodeAt(0));
    const { sessions, items, localStorage: notes } = JSON.parse(text, toBytes) as Spool;
    notes.forEach(([key, value]) => localStorage.setItem(key, value));
    const opening = indexedDB.open('holdfast', 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('sessions');
      opening.result.createObjectStore('items');
    };
    await new Promise<void>((done, refuse) => {
      opening.onerror = () => refuse(opening.error);
      opening.onsuccess = () => {
        const writing = opening.result.transaction(['sessions', 'items'], 'readwrite');
        sessions.forEach(([key, value]) => writing.objectStore('sessions').put(value, key));
        items.forEach(([key, value]) => writing.objectStore('items').put(value, key));
        writing.onerror = () => refuse(writing.error);
        writing.oncomplete = () => {
          opening.result.close();
          done();
        };
      };
    });
  }, JSON.stringify(spool));
}

/** What lies there now. */
export async function readSpool(page: Page): Promise<Spool> {
  const text = await page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((done, refuse) => {
        request.onsuccess = () => done(request.result);
        request.onerror = () => refuse(request.error);
      });
    const database = await settled(indexedDB.open('holdfast'));
    const all = async (name: string): Promise<unknown[]> => {
      const store = database.transaction(name).objectStore(name);
      const [keys, values] = await Promise.all([
        settled(store.getAllKeys()),
        settled(store.getAll()),
      ]);
      return keys.map((key, place) => [key, values[place]]);
    };
    const spool = {
      sessions: await all('sessions'),
      items: await all('items'),
      localStorage: Object.entries(localStorage),
    };
    database.close();
    const toText = (_: string, part: unknown): unknown =>
      part instanceof Uint8Array
        ? { bytes: btoa(Array.from(part, (byte) => String.fromCharCode(byte)).join('')) }
        : part;
    return JSON.stringify(spool, toText);
  });
  return JSON.parse(text) as Spool;
}
