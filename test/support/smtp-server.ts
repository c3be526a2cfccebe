import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket, type SecureContextOptions } from 'node:tls';
import type { Test } from 'tap';

/** A letter that was taken. */
export interface TakenLetter {
  readonly from: string;
  readonly to: readonly string[];
  /** Head and text, dots as they were. */
  readonly data: string;
  readonly isSecure: boolean;
  readonly user: string | undefined;
}

/** How a server answers; what is absent goes well. */
export interface SmtpBehaviour {
  /** The answer to a command (`EHLO`, `MAIL`, `RCPT`, `DATA`, `.` for the letter itself); undefined: as usual; 'silence': none. */
  readonly answer?: (command: string) => string | undefined;
  /** Whom it lets in, and nobody else. */
  readonly login?: { readonly user: string; readonly pass: string };
  /** Offers STARTTLS, or with `isTls` speaks TLS from the first byte. */
  readonly certificate?: SecureContextOptions;
  readonly isTls?: boolean;
}

/** A mail server as small as it goes, over real sockets (RFC 5321, 4954 PLAIN, 3207). */
export interface SmtpServer {
  readonly port: number;
  readonly letters: readonly TakenLetter[];
  /** Connections so far. */
  connections(): number;
  stop(): Promise<void>;
}

/** Starts one on this machine; on the port of another that has stopped where one is given. */
export async function startSmtpServer(
  t: Pick<Test, 'teardown'>,
  behaviour: SmtpBehaviour = {},
  port = 0,
): Promise<SmtpServer> {
  const letters: TakenLetter[] = [];
  const sockets = new Set<Socket>();
  const { certificate, isTls = false } = behaviour;
  let connections = 0;
  const serve = (socket: Socket): void => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    new Conversation(socket, { ...behaviour, isTls, take: (letter) => letters.push(letter) });
  };
  const server = isTls ? createTlsServer({ ...certificate }, serve) : createServer(serve);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  t.teardown(stop);
  return {
    port: (server.address() as AddressInfo).port,
    letters,
    connections: () => connections,
    stop,
  };
}

interface ConversationOptions extends SmtpBehaviour {
  readonly isTls: boolean;
  readonly take: (letter: TakenLetter) => void;
}

/** What is said over one connection. */
class Conversation {
  readonly #options: ConversationOptions;
  #socket: Socket;
  #text = '';
  #isData = false;
  #isSecure: boolean;
  #user: string | undefined;
  #from = '';
  #to: string[] = [];

  constructor(socket: Socket, options: ConversationOptions) {
    this.#options = options;
    this.#isSecure = options.isTls;
    this.#socket = socket;
    this.#listen(socket);
    this.#say('CONNECT', '220 test ESMTP');
  }

  #listen(socket: Socket): void {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('error', () => undefined);
    socket.on('data', (part: string) => {
      this.#text += part;
      this.#read();
    });
  }

  #read(): void {
    for (;;) {
      const mark = this.#isData ? '\r\n.\r\n' : '\r\n';
      const end = this.#text.indexOf(mark);
      if (end < 0) return;
      const said = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + mark.length);
      if (this.#isData) this.#takeLetter(said);
      else this.#obey(said);
    }
  }

  #takeLetter(data: string): void {
    this.#isData = false;
    const answer = this.#options.answer?.('.');
    if (answer === undefined)
      this.#options.take({
        ...{ from: this.#from, to: this.#to, isSecure: this.#isSecure, user: this.#user },
        data: data.replaceAll(/^\.\./gm, '.'),
      });
    this.#say('.', '250 taken');
  }

  #obey(line: string): void {
    const verb = line.split(/[ :]/, 1)[0]?.toUpperCase() ?? '';
    const { login, certificate } = this.#options;
    if (verb === 'EHLO') {
      const offers = [
        ...(certificate !== undefined && !this.#isSecure ? ['STARTTLS'] : []),
        ...(login === undefined ? [] : ['AUTH PLAIN']),
        '8BITMIME',
      ];
      const lines = ['test', ...offers];
      this.#say(verb, lines.map((one, at) => `250${at === lines.length - 1 ? ' ' : '-'}${one}`).join('\r\n'));
    } else if (verb === 'STARTTLS') {
      this.#say(verb, '220 go on');
      this.#socket.removeAllListeners('data');
      this.#isSecure = true;
      this.#listen(new TLSSocket(this.#socket, { isServer: true, ...certificate }));
    } else if (verb === 'AUTH') {
      const [, user, pass] = Buffer.from(line.split(' ')[2] ?? '', 'base64')
        .toString('utf8')
        .split('\0');
      const isRight = login?.user === user && login?.pass === pass;
      if (isRight) this.#user = user;
      this.#say(verb, isRight ? '235 come in' : '535 5.7.8 no');
    } else if (login !== undefined && this.#user === undefined && verb === 'MAIL') {
      this.#say(verb, '530 5.7.0 sign in first');
    } else {
      this.#deliver(verb, line);
    }
  }

  #deliver(verb: string, line: string): void {
    const address = /<([^>]*)>/.exec(line)?.[1] ?? '';
    if (verb === 'MAIL') [this.#from, this.#to] = [address, []];
    if (verb === 'RCPT') this.#to.push(address);
    if (verb === 'DATA') {
      const isRefused = this.#options.answer?.('DATA') !== undefined;
      this.#isData = !isRefused;
      this.#say(verb, '354 go on');
    } else if (verb === 'QUIT') {
      this.#socket.end('221 bye\r\n');
    } else {
      this.#say(verb, '250 well');
    }
  }

  #say(verb: string, usual: string): void {
    const answer = this.#options.answer?.(verb) ?? usual;
    if (answer !== 'silence') this.#socket.write(`${answer}\r\n`);
  }
}
