/** One `holdfast serve` of a test's own: started, watched, killed, started again, stopped. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const BINARY = resolve(import.meta.dirname, '../../target/release/holdfast');
const READY_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;
/** From util-linux: has the kernel kill the server should the test's own process die. */
const SETPRIV = '/usr/bin/setpriv';

export class Server {
  private child: ChildProcess | undefined;
  private exited: Promise<Exit> | undefined;
  private logLines: string[] = [];
  /** Set while we are the reason that it ends. */
  private ending = false;
  private crash: Exit | undefined;

  private constructor(
    readonly port: number,
    readonly dataDir: string,
    readonly logPath: string,
    private readonly flags: string[],
    /** The start of a command that runs the rest of it in surroundings of its own. */
    private readonly surroundings: string[],
  ) {}

  /** Starts a server on a free port, with its data and its log in `folder`. */
  static async start(
    folder: string,
    flags: string[] = [],
    surroundings: string[] = [],
  ): Promise<Server> {
    const server = new Server(
      await freePort(),
      join(folder, 'data'),
      join(folder, 'server.log'),
      flags,
      surroundings,
    );
    await server.start();
    return server;
  }

  get baseURL(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Of the running server. */
  get pid(): number {
    if (!this.child?.pid) {
      throw new Error(`the server is not running\n${this.logTail()}`);
    }
    return this.child.pid;
  }

  /** Starts it again on the same port and data. Returns when it is ready to serve. */
  async start(): Promise<void> {
    if (this.child) {
      throw new Error('the server is already running');
    }
    await mkdir(this.dataDir, { recursive: true });
    await mkdir(dirname(this.logPath), { recursive: true });
    const command = [
      ...this.surroundings,
      BINARY,
      'serve',
      '--listen',
      `127.0.0.1:${this.port}`,
      '--data-dir',
      this.dataDir,
      ...this.flags,
    ];
    const leashed = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', ...command] : command;
    const child = spawn(leashed[0] as string, leashed.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(),
    });
    this.child = child;
    this.ending = false;
    this.exited = new Promise((done) => {
      child.once('error', (error) => done({ code: null, signal: null, error }));
      child.once('exit', (code, signal) => done({ code, signal }));
    });
    const killWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithUs);
    void this.exited.then((exit) => {
      process.off('exit', killWithUs);
      this.crash ??= this.ending ? undefined : exit;
      if (this.child === child) {
        this.child = undefined;
      }
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.logLines.push(part.toString());
        void appendFile(this.logPath, part);
      });
    }
    await this.waitUntilReady(child);
  }

  /** Ends it if it runs, and fails if it ever ended by itself. */
  async close(): Promise<void> {
    if (this.child) {
      await this.stop();
    }
    if (this.crash) {
      throw new Error(`the server ended by itself with ${describe(this.crash)}\n${this.logTail()}`);
    }
  }

  /** SIGKILL, and gone: what a crash or a power cut leaves behind. */
  async kill(): Promise<void> {
    await this.signalAndWait('SIGKILL', STOP_DEADLINE_MS);
  }

  /** The orderly end: SIGTERM, and it must be gone in time with code 0. */
  async stop(): Promise<void> {
    const exit = await this.signalAndWait('SIGTERM', STOP_DEADLINE_MS);
    if (exit.code !== 0) {
      throw new Error(`the server ended with ${describe(exit)}, wanted code 0\n${this.logTail()}`);
    }
  }

  logTail(): string {
    return this.logLines.join('').split('\n').slice(-40).join('\n');
  }

  private async signalAndWait(signal: NodeJS.Signals, deadlineMs: number): Promise<Exit> {
    const { child, exited } = this;
    if (!child || !exited) {
      throw new Error(`the server is not running\n${this.logTail()}`);
    }
    this.ending = true;
    child.kill(signal);
    const timely = await within(exited, deadlineMs);
    if (timely) {
      return timely;
    }
    child.kill('SIGKILL');
    await exited;
    throw new Error(`the server outlived ${signal} by ${deadlineMs} ms\n${this.logTail()}`);
  }

  private async waitUntilReady(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + READY_DEADLINE_MS;
    while (Date.now() < deadline) {
      if (this.child !== child) {
        const exit = (await this.exited) as Exit;
        throw new Error(`the server ended with ${describe(exit)} at its start\n${this.logTail()}`);
      }
      const ready = await fetch(`${this.baseURL}/readyz`, { signal: AbortSignal.timeout(1_000) })
        .then((response) => response.ok)
        .catch(() => false);
      if (ready) {
        return;
      }
      await delay(25);
    }
    this.ending = true;
    child.kill('SIGKILL');
    await this.exited;
    throw new Error(`the server was not ready in ${READY_DEADLINE_MS} ms\n${this.logTail()}`);
  }
}

/** Ours without HOLDFAST_* variables: a test's server is told everything by its arguments. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')),
  );
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  error?: Error;
}

function describe(exit: Exit): string {
  return exit.error?.message ?? (exit.signal ? `signal ${exit.signal}` : `code ${exit.code}`);
}

async function within<T>(promise: Promise<T>, deadlineMs: number): Promise<T | undefined> {
  const abort = new AbortController();
  const timer = delay(deadlineMs, undefined, { signal: abort.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, timer]);
  } finally {
    abort.abort();
  }
}

/** A port nobody listens on, as the kernel says. */
async function freePort(): Promise<number> {
  return new Promise((done, refuse) => {
    const probe = createServer();
    probe.once('error', refuse);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address ? done(address.port) : refuse(new Error('no port')),
      );
    });
  });
}
