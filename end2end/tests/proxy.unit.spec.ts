/** The network of the fault table: each mode does what the tests rely on, and nothing else. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test as base } from '@playwright/test';
import { Proxy } from '../lib/proxy.ts';

/** Long enough for bytes to cross loopback twice on a busy machine. */
const CROSSING_MS = 300;

const test = base.extend<{ echo: Server & { heard: string[] }; network: Proxy }>({
  echo: async ({}, use) => {
    const heard: string[] = [];
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        heard.push(bytes.toString());
        socket.write(bytes);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await use(Object.assign(server, { heard }));
    sockets.forEach((socket) => socket.destroy());
    server.close();
  },
  network: async ({ echo }, use) => {
    const network = await Proxy.start((echo.address() as AddressInfo).port);
    await use(network);
    await network.close();
  },
});

interface Caller {
  socket: Socket;
  heard(): string;
  isClosed(): boolean;
}

async function call(network: Proxy): Promise<Caller> {
  const socket = connect(Number(new URL(network.baseURL).port), '127.0.0.1');
  let heard = '';
  let closed = false;
  socket.on('data', (bytes) => (heard += bytes.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => (closed = true));
  // A reset may come before the connection is known.
  await new Promise<void>((done) => {
    socket.once('connect', done);
    socket.once('close', () => done());
  });
  return { socket, heard: () => heard, isClosed: () => closed };
}

test('what passes arrives, both ways', async ({ network }) => {
  const caller = await call(network);
  caller.socket.write('one');
  await expect.poll(caller.heard).toBe('one');
});

test('a drop resets what is open and whatever comes', async ({ network }) => {
  const before = await call(network);
  before.socket.write('one');
  await expect.poll(before.heard).toBe('one');
  network.drop();
  await expect.poll(before.isClosed).toBe(true);
  const during = await call(network);
  await expect.poll(during.isClosed).toBe(true);
  network.pass();
  const after = await call(network);
  after.socket.write('two');
  await expect.poll(after.heard).toBe('two');
});

for (const [swallow, echoHears] of [['toServer', []], ['toClient', ['one']], ['both', []]] as const) {
  test(`a black hole ${swallow} swallows, resets nothing, and is never healed`, async ({
    echo,
    network,
  }) => {
    network.blackhole(swallow);
    const caller = await call(network);
    caller.socket.write('one');
    await delay(CROSSING_MS);
    expect(echo.heard).toEqual(echoHears);
    expect(caller.heard()).toBe('');
    expect(caller.isClosed()).toBe(false);

    network.pass();
    caller.socket.write('two');
    await delay(CROSSING_MS);
    expect(caller.heard()).toBe('');
    const other = await call(network);
    other.socket.write('three');
    await expect.poll(other.heard).toBe('three');
  });
}

test('what is slow arrives whole and late', async ({ network }) => {
  const caller = await call(network);
  network.slow(100, 10_000);
  const startedAt = Date.now();
  caller.socket.write('x'.repeat(2_000));
  await expect.poll(() => caller.heard().length).toBe(2_000);
  // Twice 100 ms, and 2 kB at 10 kB/s at least once.
  expect(Date.now() - startedAt).toBeGreaterThan(350);
});

test('a server that is gone is noticed through the proxy', async ({ echo, network }) => {
  const caller = await call(network);
  caller.socket.write('one');
  await expect.poll(caller.heard).toBe('one');
  echo.once('connection', (socket: Socket) => socket.resetAndDestroy());
  const doomed = await call(network);
  await expect.poll(doomed.isClosed).toBe(true);
  expect(caller.isClosed()).toBe(false);
});
