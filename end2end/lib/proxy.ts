/** A TCP proxy between browser and server: the network of a test, and what goes wrong in it. */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * - `pass`: every byte goes through.
 * - `drop`: every connection is reset, and so is every new one.
 * - `blackhole`: connections are accepted and stay open, and bytes vanish on the way, in both
 *   directions or in one. What vanished never comes: a connection that has lost bytes stays dead
 *   when the network is back, as it does behind a router that has forgotten it.
 * - `slow`: bytes go through late, and few at a time.
 */
export type Weather =
  | { mode: 'pass' }
  | { mode: 'drop' }
  | { mode: 'blackhole'; swallow: 'toServer' | 'toClient' | 'both' }
  | { mode: 'slow'; delayMs: number; bytesPerSecond: number };

type Direction = 'toServer' | 'toClient';

const HOST = '127.0.0.1';
/** How often a slow link hands on what it has. */
const SLOW_TICK_MS = 20;

export class Proxy {
  private weather: Weather = { mode: 'pass' };
  private readonly links = new Set<Link>();

  private constructor(
    private readonly listener: Server,
    private readonly upstreamPort: number,
  ) {}

  /** Starts to pass connections on to `upstreamPort`. */
  static async start(upstreamPort: number): Promise<Proxy> {
    const listener = createServer({ noDelay: true });
    const proxy = new Proxy(listener, upstreamPort);
    listener.on('connection', (client) => proxy.accept(client));
    await new Promise<void>((done, refuse) => {
      listener.once('error', refuse);
      listener.listen(0, HOST, done);
    });
    return proxy;
  }

  get baseURL(): string {
    return `http://${HOST}:${(this.listener.address() as AddressInfo).port}`;
  }

  pass(): void {
    this.weather = { mode: 'pass' };
  }

  drop(): void {
    this.weather = { mode: 'drop' };
    this.links.forEach((link) => link.reset());
  }

  blackhole(swallow: 'toServer' | 'toClient' | 'both' = 'both'): void {
    this.weather = { mode: 'blackhole', swallow };
  }

  slow(delayMs: number, bytesPerSecond: number): void {
    this.weather = { mode: 'slow', delayMs, bytesPerSecond };
  }

  async close(): Promise<void> {
    this.drop();
    await new Promise<void>((done) => this.listener.close(() => done()));
  }

  private accept(client: Socket): void {
    if (this.weather.mode === 'drop') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: HOST, port: this.upstreamPort, noDelay: true });
    const link = new Link(client, upstream, () => this.weather);
    this.links.add(link);
    link.onGone = () => this.links.delete(link);
  }
}

/** One connection through the proxy. */
class Link {
  onGone: () => void = () => undefined;
  private readonly holed: Record<Direction, boolean> = { toServer: false, toClient: false };

  constructor(
    private readonly client: Socket,
    private readonly upstream: Socket,
    private readonly weather: () => Weather,
  ) {
    this.carry(client, upstream, 'toServer');
    this.carry(upstream, client, 'toClient');
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.upstream.resetAndDestroy();
    this.onGone();
  }

  private carry(from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (bytes: Buffer) => {
      const weather = this.weather();
      if (this.vanishes(weather, direction)) {
        this.holed[direction] = true;
      } else if (weather.mode === 'slow') {
        from.pause();
        drip(bytes, to, weather.delayMs, weather.bytesPerSecond, () => from.resume());
      } else if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    // The end of a connection is news too: it does not come through a hole.
    from.on('end', () => {
      if (!this.vanishes(this.weather(), direction)) {
        to.end();
      }
    });
    from.on('error', () => undefined);
    from.on('close', (afterError) => {
      if (this.client.destroyed && this.upstream.destroyed) {
        this.onGone();
      } else if (afterError && !this.vanishes(this.weather(), direction)) {
        this.reset();
      } else if (from === this.client) {
        this.upstream.destroy();
      }
    });
  }

  private vanishes(weather: Weather, direction: Direction): boolean {
    const now =
      weather.mode === 'blackhole' &&
      (weather.swallow === 'both' || weather.swallow === direction);
    return now || this.holed[direction];
  }
}

/** Writes `bytes` to `to` after the delay, a little every tick. */
function drip(
  bytes: Buffer,
  to: Socket,
  delayMs: number,
  bytesPerSecond: number,
  done: () => void,
): void {
  const portion = Math.max(1, Math.round((bytesPerSecond * SLOW_TICK_MS) / 1000));
  let at = 0;
  const next = (): void => {
    if (to.destroyed) {
      return;
    }
    to.write(bytes.subarray(at, at + portion));
    at += portion;
    if (at < bytes.length) {
      setTimeout(next, SLOW_TICK_MS);
    } else {
      done();
    }
  };
  setTimeout(next, delayMs);
}
