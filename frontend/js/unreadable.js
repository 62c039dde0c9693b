import { saveFile } from './saving.js';
import { bytesToText } from './stash.js';

// Known to frontend/src/spool.rs, with its stores.
const SPOOL = 'holdfast';
const FILE = 'holdfast-unreadable.json';

// Hands the candidate a file of stored values as they are. Each session has a list of places: a store of
// the spool and a key in it, or `localStorage` and a key there.
export async function save(places) {
  const spool = await settled(indexedDB.open(SPOOL));
  const lines = [];
  for (const [store, key] of places.flat()) {
    const value =
      store === 'localStorage'
        ? localStorage.getItem(key)
        : await settled(spool.transaction(store).objectStore(store).get(key));
    lines.push(JSON.stringify({ store, key, value }, bytesToText));
  }
  spool.close();
  saveFile(['[\n', lines.join(',\n'), '\n]\n'], FILE);
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
