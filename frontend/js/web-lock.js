// Resolves to a function that lets the lock go, or to undefined when somebody else has it. The
// browser itself lets it go when the page ends, however it ends.
export function tryLock(name) {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) {
          resolve(undefined);
          return undefined;
        }
        return new Promise((release) => resolve(release));
      })
      .catch(reject);
  });
}
