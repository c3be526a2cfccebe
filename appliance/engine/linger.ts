import type { Duplex } from 'node:stream';

const lingerMs = 2000;

/**
 * Ends a connection behind its last answer: its socket is closed when the client has closed too, or after a while. Closed
 * with bytes of the client unread, it would be reset, and what the client has not yet received would be lost to it
 * (RFC 9112 §9.6).
 */
export function endGently(connection: Duplex): void {
  if (connection.writable) connection.end();
  const closeWhenOver = (): void => {
    if (connection.writableFinished && connection.readableEnded) connection.destroy();
  };
  const timer = setTimeout(() => connection.destroy(), lingerMs);
  connection.once('finish', closeWhenOver);
  connection.once('end', closeWhenOver);
  connection.once('close', () => {
    clearTimeout(timer);
  });
  connection.resume();
  closeWhenOver();
}

/** Has Node's server end the connection so. */
export function lingers(connection: Duplex): void {
  Object.assign(connection, {
    destroySoon: () => {
      endGently(connection);
    },
  });
}
