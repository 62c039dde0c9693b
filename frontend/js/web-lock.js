// Resolves to a function that lets the lock go, or to undefined when somebody else has it. The
// browser itself lets it go when the page ends, however it ends. With `waitMs` it waits so long for
// its turn; with `steal` it takes the lock from whoever has it, who is told by `onLost`.
export function requestLock(name, { waitMs, steal }, onLost) {
  return new Promise((resolve, reject) => {
    let isHeld = false;
    const options =
      waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : steal ? { steal } : { ifAvailable: true };
    navigator.locks
      .request(name, options, (lock) => {
        if (!lock) {
          resolve(undefined);
          return undefined;
        }
        isHeld = true;
        return new Promise((release) => resolve(release));
      })
      .catch((error) => {
        if (isHeld) {
          onLost();
        } else if (error.name === 'TimeoutError' || error.name === 'AbortError') {
          resolve(undefined);
        } else {
          reject(error);
        }
      });
  });
}
