import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Test } from 'tap';

import type {
  Exchange,
  FailureKind,
  UpstreamTimes,
} from '../../../control-plane/gateway/upstream-connection.ts';
import { UpstreamPool } from '../../../control-plane/gateway/upstream-pool.ts';

interface Lab {
  readonly port: number;
  /** Connections that were accepted. */
  readonly sockets: Socket[];
  /** Questions that came, each with its connection; the oldest first. */
  readonly asked: { readonly socket: Socket; readonly head: string; readonly body: string }[];
}

/** A service that does with each question what the test says, on a socket of its own; nothing of HTTP is between. */
export async function startService(
  t: Test,
  answer: (socket: Socket, head: string) => unknown,
  server: Server = createServer(),
): Promise<Lab> {
  const [sockets, asked]: [Socket[], Lab['asked']] = [[], []];
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.push(socket);
    let text = '';
    socket.setEncoding('latin1').on('error', () => undefined);
    socket.on('data', (part: string) => {
      text += part;
      const end = text.indexOf('\r\n\r\n') + 4;
      if (end === 3) return;
      const [, bytes = '0'] = /content-length: (\d+)/i.exec(text) ?? [];
      if (text.length < end + Number(bytes)) return;
      const head = text.slice(0, end);
      asked.push({ socket, head, body: text.slice(end, end + Number(bytes)) });
      text = text.slice(end + Number(bytes));
      answer(socket, head);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { sockets, asked, port: (server.address() as AddressInfo).port };
}

const times: UpstreamTimes = { connectMs: 60_000, beginMs: 60_000, idleMs: 60_000, keepMs: 60_000 };

/** Connections to it, patient unless a test says otherwise. */
export function openPool(
  t: Test,
  port: number,
  {
    connectionsMax = 4,
    scheme = 'http',
    ...own
  }: Partial<UpstreamTimes> & { connectionsMax?: number; scheme?: string } = {},
): UpstreamPool {
  const pool = new UpstreamPool(`${scheme}://127.0.0.1:${port}`, {
    connectionsMax,
    times: { ...times, ...own },
  });
  t.teardown(() => pool.close());
  return pool;
}

interface Heard {
  readonly end: 'answered' | 'unwanted' | FailureKind;
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: string;
}

/** An exchange that tells all that it heard when it has ended. */
export class Asking implements Exchange {
  readonly method: string;
  readonly head: string;
  readonly body: Buffer | null;
  connection: Exchange['connection'];
  readonly heard: Promise<Heard>;
  readonly #tell: (heard: Heard) => void;
  readonly #wants: (status: number) => boolean;
  readonly #parts: Buffer[] = [];
  /** False: no more is taken for now. */
  takes = true;
  bytes = 0;
  #status = 0;
  #fields: readonly string[] = [];
  #isOver = false;

  constructor({
    method = 'GET',
    body = null as Buffer | null,
    wants = (_status: number): boolean => true,
  } = {}) {
    this.method = method;
    this.body = body;
    const length = body === null ? '' : `content-length: ${body.length}\r\n`;
    this.head = `${method} /${Asking.#count++} HTTP/1.1\r\nhost: a\r\n${length}\r\n`;
    this.#wants = wants;
    const { promise, resolve } = Promise.withResolvers<Heard>();
    this.heard = promise;
    this.#tell = resolve;
  }

  static #count = 0;

  answerBegin(status: number, fields: readonly string[]): boolean {
    [this.#status, this.#fields] = [status, fields];
    const wants = this.#wants(status);
    if (!wants) this.#end('unwanted');
    return wants;
  }

  answerData(part: Buffer): boolean {
    this.#parts.push(Buffer.from(part));
    this.bytes += part.length;
    return this.takes;
  }

  answerEnd(): void {
    this.#end('answered');
  }

  failed(kind: FailureKind): void {
    this.#end(kind);
  }

  #end(end: Heard['end']): void {
    if (this.#isOver) throw new Error('it has ended twice');
    this.#isOver = true;
    this.#tell({
      end,
      status: this.#status,
      fields: this.#fields,
      body: Buffer.concat(this.#parts).toString('latin1'),
    });
  }
}

/** Asks, and waits for the end. */
export async function ask(
  pool: UpstreamPool,
  options?: ConstructorParameters<typeof Asking>[0],
): Promise<Heard> {
  const asking = new Asking(options);
  pool.ask(asking);
  return await asking.heard;
}

/** A whole answer. */
export const ok = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
