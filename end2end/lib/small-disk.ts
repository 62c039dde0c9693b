/**
 * A disk of a program's own, small enough to be filled: a tmpfs that only that program's processes
 * see, and that is gone with them.
 */
import { spawnSync } from 'node:child_process';
import { readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Root may mount; everybody else becomes root of a namespace first. */
const UNSHARE = ['unshare', process.getuid?.() === 0 ? '-m' : '-Urm'];
const BALLAST = 'ballast';
const BALLAST_PART_BYTES = 256 * 1024;
const BALLAST_PARTS_MAX = 1_000;

/** The start of a command that mounts a disk on `folder` and runs the rest. */
export function withSmallDisk(folder: string, megabytes: number): string[] {
  const script = `mount -t tmpfs -o size=${megabytes}m tmpfs "$0" && exec "$@"`;
  return [...UNSHARE, 'sh', '-c', script, folder];
}

/** Why no such disk can be had here; `undefined` when it can. */
export function whyNoSmallDisk(): string | undefined {
  const [program, ...rest] = [...withSmallDisk('/mnt', 1), 'true'];
  const tried = spawnSync(program as string, rest, { encoding: 'utf8' });
  return tried.status === 0 ? undefined : (tried.error?.message ?? tried.stderr.trim());
}

/** Fills the disk that process `pid` sees at `folder` to the last byte. */
export async function fillDisk(pid: number, folder: string): Promise<void> {
  const seen = seenBy(pid, folder);
  for (let part = 0; part < BALLAST_PARTS_MAX; part++) {
    const { bavail, bsize } = await statfs(seen);
    const freeBytes = bavail * bsize;
    if (freeBytes === 0) {
      return;
    }
    const bytes = Math.min(freeBytes, BALLAST_PART_BYTES);
    // The program writes too, and may have been quicker.
    await writeFile(join(seen, `${BALLAST}-${part}`), Buffer.alloc(bytes)).catch(() => undefined);
  }
  throw new Error(`the disk did not fill up: ${seen}`);
}

/** Takes away what `fillDisk` put there. */
export async function emptyDisk(pid: number, folder: string): Promise<void> {
  const seen = seenBy(pid, folder);
  for (const name of await readdir(seen)) {
    if (name.startsWith(BALLAST)) {
      await rm(join(seen, name));
    }
  }
}

function seenBy(pid: number, folder: string): string {
  return `/proc/${pid}/root${folder}`;
}
