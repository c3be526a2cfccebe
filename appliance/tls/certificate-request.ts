import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { coded, systemCode } from '../../common/runtime/errors.ts';

const run = promisify(execFile);
const ownDays = 30;
const msMax = 10_000;

/** A request for a certificate for one DNS name (PKCS #10, PEM), signed with the key in this file. Errors: OPENSSL_FAILED. */
export function requestOf(keyFile: string, name: string): Promise<string> {
  return openssl(['-new'], { keyFile, name });
}

/**
 * A certificate (PEM) for one DNS name that nobody but its key vouches for, for 30 days: a box can listen with it, and steering sends
 * nobody there. Errors: OPENSSL_FAILED.
 */
export function selfSigned(keyFile: string, name: string): Promise<string> {
  return openssl(['-x509', '-days', String(ownDays)], { keyFile, name });
}

async function openssl(
  what: string[],
  { keyFile, name }: { keyFile: string; name: string },
): Promise<string> {
  const subject = ['-subj', '/', '-addext', `subjectAltName=critical,DNS:${name}`];
  try {
    // Nothing from the machine's own configuration.
    const args = ['req', ...what, '-config', '/dev/null', '-key', keyFile, '-sha256', ...subject];
    const { stdout } = await run('openssl', args, { timeout: msMax, maxBuffer: 65_536 });
    return stdout;
  } catch (cause) {
    const isMissing = systemCode(cause) === 'ENOENT';
    const said = cause instanceof Error ? cause.message.trim().split('\n').at(-1) : String(cause);
    throw coded('OPENSSL_FAILED', {
      detail: isMissing ? 'there is no program openssl: apt install openssl' : `for ${name}: ${said}`,
      cause,
    });
  }
}
