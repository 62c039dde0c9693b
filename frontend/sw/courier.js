// The service worker's second part: delivers what closed pages left in the spool, when the browser
// says that the network is back (Background Sync). It reads the spool and posts what lies there
// ready-made; it knows nothing of the protocol but how to see that the server did not take it.
//
// It deletes nothing. Only an item's ack allows that, and acks are for the protocol's own code to
// read: the next page asks the server what it has, and lets go of exactly that. What is delivered
// twice meanwhile is stored once.

const SYNC_TAG = 'holdfast-deliver';
/** Held for one request. A page that looks for work waits for it: frontend/src/service_worker.rs */
const COURIER_LOCK = 'holdfast-courier';
/** Held by the page that is at work on a session: frontend/src/session_lock.rs */
const SESSION_LOCK_PREFIX = 'holdfast-session-';

/** See frontend/src/spool.rs for its stores and values. */
const SPOOL = 'holdfast';
/** The newest form of a value that is known here. What is of another one waits for its page. */
const FORM = 2;
/** Of frames in one request; the first item goes whatever its size. */
const BATCH_BYTES_MAX = 1024 * 1024;
const BATCH_ITEMS_MAX = 200;
const REQUEST_DEADLINE_MS = 30_000;
/** How long a page that is being closed may take to let its session go. */
const LEAVING_DEADLINE_MS = 3_000;
const LEAVING_POLL_MS = 200;

/** The first bytes of the answers by which the server did not take something; see ServerMessage. */
const REFUSED = 2;
const FAILED = 7;
const GOODBYE = 9;

/** @typedef {{ version?: number, hellos?: Uint8Array[], finish?: Uint8Array }} KeptSession */
/** @typedef {{ version?: number, frame?: Uint8Array }} KeptItem */
/** @typedef {[session: string, seq: number]} ItemKey */
/**
 * @typedef {object} Round
 * @property {string} session
 * @property {number} seq the first item to go next
 * @property {number} opener which of the session's hellos the server took last
 */

worker.addEventListener('sync', (event) => {
  if (event.tag === SYNC_TAG) {
    event.waitUntil(deliverAll());
  }
});

/** Fails when anything is left: then the browser sends another sync event later, a few times. */
async function deliverAll() {
  const spool = await openSpool();
  if (!spool) {
    return;
  }
  /** @type {unknown[]} */
  const problems = [];
  try {
    const sessions = await settled(spool.transaction('sessions').objectStore('sessions').getAllKeys());
    for (const session of sessions) {
      await deliver(spool, String(session)).catch((problem) => problems.push(problem));
    }
  } finally {
    spool.close();
  }
  if (problems.length > 0) {
    throw problems[0];
  }
}

/**
 * One request after another, each under the lock, so that a page gets its turn in between.
 *
 * @param {IDBDatabase} spool
 * @param {string} session
 */
async function deliver(spool, session) {
  await waitUntilLeft(session);
  const round = { session, seq: 0, opener: 0 };
  while (await navigator.locks.request(COURIER_LOCK, () => deliverNext(spool, round))) {
    // As long as there is more.
  }
}

/**
 * Posts the next items, and in the end what the candidate asked for. True when there is more.
 *
 * @param {IDBDatabase} spool
 * @param {Round} round
 */
async function deliverNext(spool, round) {
  const { session } = round;
  if (await isInUse(session)) {
    throw new Error('a page is at work on the session');
  }
  const stores = spool.transaction(['sessions', 'items']);
  /** @type {Promise<KeptSession | undefined>} */
  const reading = settled(stores.objectStore('sessions').get(session));
  const { frames, next } = await readBatch(stores.objectStore('items'), [session, round.seq]);
  const kept = await reading;
  if (!isKnown(kept) || !kept?.hellos) {
    return false;
  }
  if (frames.length > 0) {
    await postOpened(round, kept.hellos, frames);
    round.seq = next;
    return true;
  }
  if (kept.finish) {
    await postOpened(round, kept.hellos, [kept.finish]);
  }
  return false;
}

/**
 * @param {IDBObjectStore} items
 * @param {ItemKey} start
 * @returns {Promise<{ frames: Uint8Array[], next: number }>}
 */
function readBatch(items, start) {
  const [session, first] = start;
  const range = IDBKeyRange.bound(start, [session, Number.MAX_SAFE_INTEGER]);
  /** @type {Uint8Array[]} */
  const frames = [];
  let bytes = 0;
  let next = first;
  return new Promise((resolve, reject) => {
    const cursors = items.openCursor(range);
    cursors.onerror = () => reject(cursors.error);
    cursors.onsuccess = () => {
      const cursor = cursors.result;
      /** @type {KeptItem | undefined} */
      const item = isKnown(cursor?.value) ? cursor?.value : undefined;
      bytes += item?.frame?.length ?? 0;
      const isFull = frames.length >= BATCH_ITEMS_MAX || (frames.length > 0 && bytes > BATCH_BYTES_MAX);
      if (!cursor || isFull) {
        resolve({ frames, next });
        return;
      }
      if (item?.frame) {
        frames.push(item.frame);
      }
      next = /** @type {ItemKey} */ (cursor.key)[1] + 1;
      cursor.continue();
    };
  });
}

/**
 * The first form has no version.
 *
 * @param {{ version?: number } | undefined} value
 */
function isKnown(value) {
  return (value?.version ?? 1) <= FORM;
}

/**
 * Posts frames after the hello that the server took last, or after the next one that it takes.
 *
 * @param {Round} round
 * @param {Uint8Array[]} hellos
 * @param {Uint8Array[]} frames
 */
async function postOpened(round, hellos, frames) {
  for (let tries = 0; tries < hellos.length; tries++) {
    const hello = /** @type {Uint8Array} */ (hellos[round.opener % hellos.length]);
    if (await post(round.session, [hello, ...frames])) {
      return;
    }
    round.opener++;
  }
  throw new Error('the server turns the session away');
}

/**
 * Sends frames, each with its length before it, and looks through the answers. False when the
 * server ended the exchange.
 *
 * @param {string} session
 * @param {Uint8Array[]} frames
 */
async function post(session, frames) {
  const response = await fetch(`/api/sessions/${session}/items`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: new Blob(frames.flatMap((frame) => [lengthOf(frame), /** @type {BlobPart} */ (frame)])),
    redirect: 'error',
    signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
  });
  if (!response.ok) {
    throw new Error(`the server answers ${response.status}`);
  }
  const kinds = [...kindsIn(await response.arrayBuffer())];
  if (kinds.includes(REFUSED) || kinds.includes(FAILED)) {
    throw new Error('the server did not take everything');
  }
  return !kinds.includes(GOODBYE);
}

/** @param {Uint8Array} frame */
function lengthOf(frame) {
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, frame.length, true);
  return length;
}

/**
 * The first byte of each frame.
 *
 * @param {ArrayBuffer} body
 */
function* kindsIn(body) {
  const view = new DataView(body);
  let at = 0;
  while (at + 4 < body.byteLength) {
    yield view.getUint8(at + 4);
    at += 4 + view.getUint32(at, true);
  }
}

/** @param {string} session */
async function waitUntilLeft(session) {
  const deadline = Date.now() + LEAVING_DEADLINE_MS;
  while (Date.now() < deadline && (await isInUse(session))) {
    await new Promise((resolve) => setTimeout(resolve, LEAVING_POLL_MS));
  }
}

/** @param {string} session */
async function isInUse(session) {
  const { held } = await navigator.locks.query();
  return held?.some(({ name }) => name === SESSION_LOCK_PREFIX + session) ?? false;
}

/**
 * The pages' database as it is, or nothing where no page has made one. Never in the way of a page
 * that wants to change it.
 *
 * @returns {Promise<IDBDatabase | undefined>}
 */
function openSpool() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(SPOOL);
    opening.onupgradeneeded = () => opening.transaction?.abort();
    opening.onerror = () =>
      opening.error?.name === 'AbortError' ? resolve(undefined) : reject(opening.error);
    opening.onsuccess = () => {
      const spool = opening.result;
      spool.onversionchange = () => spool.close();
      resolve(spool);
    };
  });
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
