/** A proxy before the server: counts what it passes on, holds it back, or passes for a newer build. */
import { createServer, request as ask, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What a newer server differs in. */
export interface NextBuild {
  /** Its name, of as many digits as the real one's. */
  id: string;
  /** Changes the text that is served at a path, which is the real server's. */
  change: (path: string, text: string) => string;
}

const TEXT = /^(text\/|image\/svg)/;

export class Front {
  /** Takes requests and does not answer. */
  isHanging = false;
  private next: NextBuild | undefined;
  private readonly sockets = new Set<Socket>();
  private closedBytes = 0;

  private constructor(
    private readonly http: HttpServer,
    private readonly target: string,
    private readonly realId: string,
  ) {}

  static async start(target: string): Promise<Front> {
    const realId = buildId(await (await fetch(`${target}/sw.js`)).text());
    const http = createServer();
    await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
    const front = new Front(http, target, realId);
    http.on('request', (incoming, outgoing) => front.pass(incoming, outgoing));
    http.on('connection', (socket) => front.watch(socket));
    return front;
  }

  get baseURL(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  /** From now on the server is one of another build: its own answers 404 under the old names. */
  deploy(next: NextBuild): void {
    this.next = next;
  }

  /** Bytes given to the browser on all connections, headers included. */
  get bytesSent(): number {
    return [...this.sockets].reduce((sum, socket) => sum + socket.bytesWritten, this.closedBytes);
  }

  async close(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }

  private watch(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => {
      this.closedBytes += socket.bytesWritten;
      this.sockets.delete(socket);
    });
  }

  private pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.isHanging) {
      return;
    }
    const { next, realId } = this;
    const asked = incoming.url as string;
    const path = next ? swap(asked, next.id, realId) : asked;
    const headers = { ...incoming.headers, ...(next && { 'accept-encoding': 'identity' }) };
    if (next) {
      delete headers['if-none-match'];
    }
    const passed = ask(`${this.target}${path}`, { method: incoming.method, headers }, (answer) => {
      if (next && TEXT.test(answer.headers['content-type'] ?? '')) {
        void this.passChanged(answer, outgoing, path, next);
      } else {
        outgoing.writeHead(answer.statusCode as number, answer.headers);
        answer.pipe(outgoing);
      }
    });
    passed.once('error', () => outgoing.destroy());
    incoming.pipe(passed);
  }

  private async passChanged(
    answer: IncomingMessage,
    outgoing: ServerResponse,
    path: string,
    next: NextBuild,
  ): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of answer) {
      parts.push(part as Buffer);
    }
    const text = Buffer.concat(parts).toString().replaceAll(this.realId, next.id);
    const headers = { ...answer.headers };
    delete headers['content-length'];
    delete headers.etag;
    outgoing.writeHead(answer.statusCode as number, headers);
    outgoing.end(next.change(path, text));
  }
}

/** The build that a service worker belongs to. */
export function buildId(worker: string): string {
  const id = /\bid:"([0-9a-f]+)"/.exec(worker)?.[1];
  if (!id) {
    throw new Error('the service worker names no build');
  }
  return id;
}

function swap(path: string, one: string, other: string): string {
  const middle = '\0';
  return path.replaceAll(one, middle).replaceAll(other, one).replaceAll(middle, other);
}
