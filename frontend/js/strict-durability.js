// A browser may call an IndexedDB write complete while the bytes are still in the system's memory:
// Firefox since 40 and Chrome since 121 do so unless a transaction asks for "strict" durability.
// The spool's promise needs the disk, and the library that it writes through has no such option and
// keeps its database to itself. So every write of this page asks here, unless it asks for something
// else.
export function makeWritesDurable() {
  if (typeof IDBDatabase === 'undefined') {
    return;
  }
  const relaxed = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function transaction(stores, mode, options) {
    return mode === 'readwrite'
      ? relaxed.call(this, stores, mode, { durability: 'strict', ...options })
      : relaxed.call(this, stores, mode, options);
  };
}
