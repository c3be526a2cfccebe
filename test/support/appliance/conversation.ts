import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

/** What a client sends on one connection, and how. */
export interface Conversation {
  /** The bytes, cut where they are sent apart. */
  readonly pieces: readonly Buffer[];
  /** The client closes its side behind the last byte; else it waits for the server to close. */
  readonly ends: boolean;
}

/** What came back. `ending` is how the server closed; `stuck` when it did not. */
export interface Heard {
  readonly text: string;
  readonly ending: 'closed' | 'reset' | 'stuck';
}

const patienceMs = 8000;

/** Holds a conversation with a server, over TLS where `secure`, until the server closes. */
export async function converse(port: number, { pieces, ends }: Conversation, secure = false): Promise<Heard> {
  const socket = await open(port, secure);
  const parts: Buffer[] = [];
  let broken: Error | undefined;
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('error', (error) => (broken = error));
  // Not `once`, which rejects when the connection is reset.
  const closed = new Promise<true>((resolve) => {
    socket.on('close', () => {
      resolve(true);
    });
  });
  for (const [index, piece] of pieces.entries()) {
    if (socket.destroyed) break;
    socket.write(piece);
    // Long enough for the server to read what is there, not for the test to become slow.
    if (index < pieces.length - 1) await sleep(index % 3);
  }
  if (ends) socket.end();
  const isClosed = await Promise.race([closed, sleep(patienceMs, false, { ref: false })]);
  socket.destroy();
  const text = Buffer.concat(parts).toString('latin1');
  return {
    text,
    ending: !isClosed ? 'stuck' : broken === undefined ? 'closed' : 'reset',
  };
}

async function open(port: number, secure: boolean): Promise<Socket> {
  const at = { port, host: '127.0.0.1', allowHalfOpen: true };
  const socket = secure ? connectTls({ ...at, rejectUnauthorized: false }) : connectPlain(at);
  await once(socket, secure ? 'secureConnect' : 'connect');
  socket.setNoDelay(true);
  // The server's end is answered: this side has said all that it will say.
  socket.on('end', () => socket.end());
  return socket;
}

/** The bytes without what may differ between two servers that answer alike: the date, and how long it took. */
export function withoutTimes(text: string): string {
  return text
    .replace(/\r\nDate: [^\r]{29}(?=\r\n)/gi, '\r\nDate: now')
    .replace(/(\r\ncmsd-dynamic: "[^"]*";rd=)\d+/g, '$1n')
    .replace(/(\r\nserver-timing: [^\r]*;dur=)\d+/g, '$1n');
}
