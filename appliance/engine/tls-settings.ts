import { createPrivateKey, X509Certificate } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createSecureContext } from 'node:tls';

import { formatAddress, parseAddress } from '../../common/core/ip-address.ts';
import { coded, systemCode, type CodedError } from '../../common/runtime/errors.ts';
import { securityOptions } from './tls-server.ts';

/** Where certificates are; without `certFile`, the first of the directory is the default. */
export interface TlsFiles {
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Holds NAME.crt beside NAME.key. */
  readonly dir?: string;
}

/** A certificate that can be served with its key. */
export interface BoxCertificate {
  readonly path: string;
  /** DNS names, lower case; `*.example.org` covers one label. */
  readonly names: readonly string[];
  /** Addresses that it is for. */
  readonly addresses: readonly string[];
  /** The certificate and those that lead to its root. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
}

const fileBytesMax = 256 * 1024;
const pairsMax = 1000;
const pemCertificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const warnMs = 14 * 24 * 60 * 60 * 1000;

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads certificates and keys, the default first, and makes sure that each can be served: the key is the certificate's,
 * the chain is in order, its time has come and is not over, and its keys are long enough.
 *
 * @throws TLS_CERTIFICATE_INVALID, TLS_CERTIFICATE_EXPIRED, naming the file and what is wrong with it.
 */
export async function loadCertificates(files: TlsFiles, nowMs: number): Promise<BoxCertificate[]> {
  const pairs = await pairsOf(files);
  if (pairs.length === 0) throw invalid(files.dir ?? '', 'the directory holds no NAME.crt');
  const loaded: BoxCertificate[] = [];
  for (const pair of pairs) loaded.push(await loadPair(pair, nowMs));
  return loaded;
}

/** Changes when one of the files does; also tells files that are missing from those that are there. */
export async function certificatesStamp(files: TlsFiles): Promise<string> {
  const pairs = await pairsOf(files).catch(() => []);
  const stamps = pairs
    .flatMap(({ cert, key }) => [cert, key])
    .map(async (path) => {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      return found === undefined ? path : `${path} ${found.ino} ${found.size} ${found.mtimeNs}`;
    });
  return (await Promise.all(stamps)).join('\n');
}

/** A problem code where a certificate's time is over or nearly so. */
export function expiryReason(
  certificates: readonly Pick<BoxCertificate, 'notAfterMs'>[],
  nowMs: number,
): 'TLS_CERTIFICATE_EXPIRED' | 'TLS_CERTIFICATE_EXPIRES' | undefined {
  const endMs = Math.min(...certificates.map(({ notAfterMs }) => notAfterMs));
  if (endMs <= nowMs) return 'TLS_CERTIFICATE_EXPIRED';
  return endMs - nowMs < warnMs ? 'TLS_CERTIFICATE_EXPIRES' : undefined;
}

async function pairsOf({ certFile, keyFile, dir }: TlsFiles): Promise<Pair[]> {
  const first = certFile === undefined || keyFile === undefined ? [] : [{ cert: certFile, key: keyFile }];
  if (dir === undefined) return first;
  let entries: string[];
  try {
    entries = await readdir(dir);
  } catch (cause) {
    throw invalid(dir, 'the directory cannot be read', cause);
  }
  const names = entries.filter((name) => name.endsWith('.crt')).toSorted();
  if (names.length > pairsMax) throw invalid(dir, `more than ${pairsMax} certificates`);
  const more = names.map((name) => ({
    cert: join(dir, name),
    key: join(dir, `${basename(name, '.crt')}.key`),
  }));
  return [...first, ...more];
}

async function loadPair({ cert, key }: Pair, nowMs: number): Promise<BoxCertificate> {
  const [certText, keyPem] = [await readText(cert), await readText(key)];
  const blocks = certText.match(pemCertificates) ?? [];
  const chain = blocks.map((pem) => parsed(cert, () => new X509Certificate(pem)));
  const [leaf] = chain;
  if (leaf === undefined) throw invalid(cert, 'no PEM certificate is in it');
  const privateKey = parsed(key, () => createPrivateKey(keyPem), 'no PEM key without a password is in it');
  if (!leaf.checkPrivateKey(privateKey)) throw invalid(key, `this is not the key of ${cert}`);
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer !== undefined && !certificate.checkIssued(issuer)) {
      throw invalid(
        cert,
        `certificate ${index + 2} of the chain did not issue the one before; put the server's first and its issuers behind`,
      );
    }
  }
  const notAfterMs = Math.min(...chain.map(({ validToDate }) => validToDate.getTime()));
  checkTime(cert, leaf, { notAfterMs, nowMs });
  const chainPem = `${blocks.join('\n')}\n`;
  // What OpenSSL itself would refuse later: short keys, weak signatures.
  parsed(cert, () => createSecureContext({ ...securityOptions, cert: chainPem, key: keyPem }));
  return { path: cert, ...namesOf(leaf), chainPem, keyPem, notAfterMs };
}

function checkTime(
  path: string,
  { validFromDate }: X509Certificate,
  { notAfterMs, nowMs }: { notAfterMs: number; nowMs: number },
): void {
  const date = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
  if (notAfterMs <= nowMs) {
    throw coded(
      'TLS_CERTIFICATE_EXPIRED',
      `${path}: valid until ${date(notAfterMs)} UTC; put a new one there`,
    );
  }
  if (validFromDate.getTime() > nowMs) {
    throw invalid(
      path,
      `valid only from ${date(validFromDate.getTime())} UTC; it is ${date(nowMs)} by the clock of this machine`,
    );
  }
}

function namesOf({ subjectAltName }: X509Certificate): { names: string[]; addresses: string[] } {
  const all = (subjectAltName ?? '').split(', ');
  const after = (prefix: string): string[] =>
    all.filter((entry) => entry.startsWith(prefix)).map((entry) => entry.slice(prefix.length));
  return {
    names: after('DNS:')
      .map((name) => name.toLowerCase())
      .filter((name) => /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name)),
    addresses: after('IP Address:').flatMap((text) => {
      const address = parseAddress(text);
      return address === undefined ? [] : [formatAddress(address)];
    }),
  };
}

function parsed<T>(path: string, parse: () => T, why?: string): T {
  try {
    return parse();
  } catch (cause) {
    const reason = cause instanceof Error && 'reason' in cause ? String(cause.reason) : undefined;
    throw invalid(path, why ?? reason ?? 'it cannot be read', cause);
  }
}

async function readText(path: string): Promise<string> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    const isMissing = systemCode(cause) === 'ENOENT';
    throw invalid(path, isMissing ? 'there is no such file' : 'this user may not read it', cause);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) throw invalid(path, 'this is not a file');
    if (found.size > fileBytesMax) throw invalid(path, `larger than ${fileBytesMax} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function invalid(path: string, why: string, cause?: unknown): CodedError {
  return coded('TLS_CERTIFICATE_INVALID', { detail: `${path}: ${why}`, cause });
}
