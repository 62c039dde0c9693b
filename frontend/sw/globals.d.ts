/** Put before the worker's code by scripts/service-worker.mjs. */
declare const BUILD: {
  /** Names the build by what it holds. */
  readonly id: string;
  /** What the record page loads: its path below the build's folder, and its digest. */
  readonly files: readonly { readonly path: string; readonly integrity: string }[];
};

/** Background Sync, which TypeScript's library does not have. */
interface SyncEvent extends ExtendableEvent {
  readonly tag: string;
}

interface ServiceWorkerGlobalScopeEventMap {
  sync: SyncEvent;
}
