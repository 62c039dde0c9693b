// The service worker's first part: keeps the record page, whole and of one build, for when the
// server is out of reach. `BUILD` is put before it when it is built.
//
// Every file of a page has its build in its address. So a page never gets a file of another build,
// whichever worker is in charge: the worker's cache holds the addresses of its own build alone, and
// the server answers 404 for any build but its own. Of an update the cache takes all or nothing.
// Everything else, the API and the other pages, goes past this worker.

const PAGE = '/record';
const CACHE_PREFIX = 'holdfast-';
const CACHE = CACHE_PREFIX + BUILD.id;
const FILES = `/assets/${BUILD.id}/`;

/** How long the server may take for the page before the kept one is shown. */
const PAGE_DEADLINE_MS = 3_000;
/**
 * How long a page that is being replaced may hand over the last of its sound: as long as a recorder
 * takes on a busy machine, and no longer than nobody notices.
 */
const LAST_WORDS_MS = 300;
/** What a proxy answers in the place of a server that is away. */
const GATEWAY_STATUSES = [502, 503, 504];

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener('install', (event) => {
  // At once: a page that is open has all its files, and the next one gets everything anew.
  event.waitUntil(precache().then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(deleteOtherBuilds());
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== worker.location.origin) {
    return;
  }
  if (request.mode === 'navigate' && url.pathname === PAGE) {
    const network = fetch(request);
    event.waitUntil(network.then((response) => keepPage(response.clone())).catch(() => {}));
    event.respondWith(Promise.all([openPage(network), lastWords()]).then(([page]) => page));
  } else if (url.pathname.startsWith(FILES)) {
    event.respondWith(openFile(request));
  }
});

/**
 * Fetches everything, then keeps it. A file that is not as it was built, or a page of another
 * build, fails it all: the worker before stays, and the browser tries again later.
 */
async function precache() {
  const files = BUILD.files.map(({ path, integrity }) =>
    fetchOrFail(new Request(FILES + path, { integrity })),
  );
  const page = await fetchOrFail(new Request(PAGE));
  if (!(await isOfThisBuild(page.clone()))) {
    throw new Error('the server has another build by now');
  }
  const responses = await Promise.all(files);
  const cache = await caches.open(CACHE);
  await Promise.all([
    cache.put(PAGE, page),
    ...BUILD.files.map(({ path }, i) => cache.put(FILES + path, /** @type {Response} */ (responses[i]))),
  ]);
}

/** @param {Request} request */
async function fetchOrFail(request) {
  const response = await fetch(request);
  if (!response.ok) {
    throw new Error(`${request.url} is answered with ${response.status}`);
  }
  return response;
}

async function deleteOtherBuilds() {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}

/**
 * The server's page, or the kept one when the server is out of reach. A kept page comes with its
 * own headers, so its nonce and its policy still fit each other.
 *
 * @param {Promise<Response>} network
 */
async function openPage(network) {
  const kept = await caches.match(PAGE, { cacheName: CACHE });
  if (!kept) {
    return network;
  }
  try {
    const response = await within(PAGE_DEADLINE_MS, network);
    return GATEWAY_STATUSES.includes(response.status) ? kept : response;
  } catch {
    return kept;
  }
}

/**
 * A page that is reloaded lives on until the new one begins. While one is recording, that is put off:
 * what its recorder had not handed over when the page was told to go still comes.
 */
async function lastWords() {
  // A browser without locks still gets its page.
  const { held = [] } = (await worker.navigator.locks?.query()) ?? {};
  if (held.some(({ name }) => name?.startsWith(SESSION_LOCK_PREFIX))) {
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
  }
}

/**
 * Keeps the newest page of this build. One of a newer build is left to the worker that comes with it.
 *
 * @param {Response} response
 */
async function keepPage(response) {
  const isWhole = response.ok && response.type === 'basic' && !response.redirected;
  // A worker that was replaced has no cache any more, and must not make it anew.
  if (isWhole && (await isOfThisBuild(response.clone())) && (await caches.has(CACHE))) {
    const cache = await caches.open(CACHE);
    await cache.put(PAGE, response);
  }
}

/** @param {Response} page */
async function isOfThisBuild(page) {
  return (await page.text()).includes(FILES);
}

/**
 * A file of this build never changes: there is nothing to ask the server for.
 *
 * @param {Request} request
 */
async function openFile(request) {
  const kept = await caches.match(request.url, { cacheName: CACHE, ignoreVary: true });
  return kept ?? fetch(request);
}

/**
 * @template T
 * @param {number} limitMs
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(limitMs, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('too late')), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
