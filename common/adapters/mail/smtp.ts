import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import { coded, isCoded, systemCode, type CodedError } from '../../runtime/errors.ts';
import { isLoopback } from '../../runtime/listen.ts';
import { composeLetter, type MailOptions } from './compose.ts';
import type { Mail } from './port.ts';

export interface SmtpOptions extends MailOptions {
  readonly host: string;
  readonly port: number;
  /** Whether TLS comes before SMTP (RFC 8314 §3.3), and not by STARTTLS. */
  readonly isTls: boolean;
  readonly login?: { readonly user: string; readonly pass: string };
}

const connectMs = 10_000;
const answerMs = 30_000;
/** For a whole letter, since a server may take its time with each answer. */
const letterMs = 120_000;

/** Hands letters to a mail server by SMTP (RFC 5321), each over a connection of its own. */
export function openSmtpMail(options: SmtpOptions): Mail {
  const { host, port, isTls, from } = options;
  const isHere = host === 'localhost' || isLoopback(host);
  return {
    // What has left is with others, and nothing of it is kept.
    forget: () => Promise.resolve(),
    async send(letter, { signal }) {
      const message = await composeLetter(letter, options);
      const { default: Connection } = await import('nodemailer/lib/smtp-connection');
      const within = AbortSignal.any([signal, AbortSignal.timeout(letterMs)]);
      within.throwIfAborted();
      const connection = new Connection({
        ...{ host, port, secure: isTls, ignoreTLS: isHere, requireTLS: !isHere },
        ...{ dnsTimeout: connectMs, connectionTimeout: connectMs, greetingTimeout: connectMs },
        socketTimeout: answerMs,
      });
      try {
        await handOver(connection, {
          ...{ message, signal: within, login: options.login },
          envelope: { from, to: [letter.to.address] },
        });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw asOurs(error, `${host}:${port}`);
      }
    },
  };
}

interface Errand {
  readonly envelope: { readonly from: string; readonly to: string[] };
  readonly message: Buffer;
  readonly login: SmtpOptions['login'];
  readonly signal: AbortSignal;
}

function handOver(connection: SMTPConnection, { envelope, message, login, signal }: Errand): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      // First of all: what comes while it closes is no cause.
      reject(error instanceof Error ? error : new Error(String(error)));
      connection.close();
    };
    const leave = (): void => {
      fail(signal.reason);
    };
    const send = (): void => {
      connection.send(envelope, message, (error) => {
        if (error) {
          fail(error);
          return;
        }
        connection.quit();
        resolve();
      });
    };
    signal.addEventListener('abort', leave, { once: true });
    connection.on('error', fail);
    connection.once('end', () => {
      signal.removeEventListener('abort', leave);
      reject(new Error('the connection was closed'));
    });
    connection.connect((error) => {
      if (error) fail(error);
      else if (login === undefined) send();
      else
        connection.login(login, (refused) => {
          if (refused) fail(refused);
          else send();
        });
    });
  });
}

/** What a server says may name the person, who stays out of logs. */
function asOurs(error: unknown, at: string): CodedError {
  if (isCoded(error)) return error;
  const { message, responseCode = 0 } = error as Error & { responseCode?: number };
  const text = message.replaceAll(/[^\s<>]+@[^\s<>]+/g, '[address]').slice(0, 200);
  const code = systemCode(error);
  // RFC 5321 §4.2.1: 5yz is for good. What a server thinks of our own sign-in is not about the letter.
  const isRefused = responseCode >= 500 && (code === 'EENVELOPE' || code === 'EMESSAGE');
  return coded(isRefused ? 'MAIL_REFUSED' : 'MAIL_UNAVAILABLE', `${at}: ${text}`);
}
