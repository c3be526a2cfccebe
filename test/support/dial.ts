import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

/** A connection of a test to a server on this machine. */
export interface Dialled {
  readonly socket: Socket;
  /** All that came, once it is so. */
  until(isSo: (text: string) => boolean): Promise<string>;
  /** All that came until the other side ended. */
  ended(): Promise<string>;
}

/** Opens a connection and hears what comes on it, a character a byte. */
export async function dial(
  t: Pick<Test, 'teardown'>,
  port: number,
  { allowHalfOpen = false } = {},
): Promise<Dialled> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  let text = '';
  let wake: (() => void) | undefined;
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.on('data', (part: string) => {
    text += part;
    wake?.();
  });
  socket.on('close', () => wake?.());
  const until = async (isSo: (text: string) => boolean): Promise<string> => {
    while (!isSo(text)) {
      if (socket.closed) throw new Error(`the connection is closed after ${JSON.stringify(text)}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
    return text;
  };
  const ended = async (): Promise<string> => {
    while (!socket.closed) await new Promise<void>((resolve) => (wake = resolve));
    return text;
  };
  return { socket, until, ended };
}
