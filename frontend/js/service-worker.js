const ADDRESS = '/sw.js';
// No wider than what it looks after: the other pages never meet it.
const SCOPE = '/record';
// Known to the worker: frontend/sw/courier.js
const SYNC_TAG = 'holdfast-deliver';
const COURIER_LOCK = 'holdfast-courier';

// Browsers offer workers only where they can trust the page: over HTTPS and on this machine.
function isPossible() {
  return window.isSecureContext && 'serviceWorker' in navigator;
}

// Has the browser install the worker, or look for a newer one. Not before the page itself is there.
export async function register() {
  if (!isPossible()) {
    return;
  }
  if (document.readyState !== 'complete') {
    await new Promise((resolve) => window.addEventListener('load', resolve, { once: true }));
  }
  const known = await navigator.serviceWorker.getRegistration(SCOPE);
  if (known?.active) {
    await known.update();
  } else {
    await navigator.serviceWorker.register(ADDRESS, { scope: SCOPE, updateViaCache: 'none' });
  }
}

// Asks for a sync event, which comes even when this page is gone. Not every browser has them.
export async function askForDelivery() {
  if (!isPossible()) {
    return;
  }
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  if (registration?.active && 'sync' in registration) {
    await registration.sync.register(SYNC_TAG);
  }
}

// Waits until the worker's request is through, for so long at most, and keeps it from the next one.
// Resolves to a function that lets it go on.
export function holdCourier(waitMs) {
  return new Promise((resolve) => {
    if (!isPossible() || !navigator.locks) {
      resolve(() => {});
      return;
    }
    navigator.locks
      .request(COURIER_LOCK, { mode: 'shared', signal: AbortSignal.timeout(waitMs) }, () => {
        return new Promise((release) => resolve(release));
      })
      .catch(() => resolve(() => {}));
  });
}
