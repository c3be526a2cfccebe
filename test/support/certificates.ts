import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate with its key, as files and as text. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** With the chain behind it. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Names of the files, without `.crt` and `.key`. */
  file: string;
  /** DNS names and addresses that it is for; the first is also its subject. */
  hosts: readonly string[];
  /** Signed by this one, which must have `isAuthority`; by itself if absent. */
  issuer?: TestCertificate;
  isAuthority?: boolean;
  rsaBits?: number;
  days?: number;
}

/** Makes a certificate by the openssl command; ECDSA P-256 unless `rsaBits` is given. Files that are there are replaced. */
export async function makeCertificate(
  directory: string,
  options: CertificateOptions,
): Promise<TestCertificate> {
  const { file, hosts, issuer, isAuthority = false, rsaBits, days = 90 } = options;
  const certFile = join(directory, `${file}.crt`);
  const keyFile = join(directory, `${file}.key`);
  const names = hosts.map((host) => (/^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`)).join(',');
  await openssl([
    'req',
    // Nothing from the machine's own configuration.
    ...['-config', '/dev/null'],
    ...(issuer === undefined ? ['-x509'] : ['-x509', '-CA', issuer.certFile, '-CAkey', issuer.keyFile]),
    ...[
      '-newkey',
      ...(rsaBits === undefined ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : [`rsa:${rsaBits}`]),
    ],
    ...[
      '-nodes',
      '-keyout',
      keyFile,
      '-out',
      certFile,
      '-days',
      String(days),
      '-subj',
      `/CN=${hosts[0] ?? 'x'}`,
    ],
    ...(names === '' ? [] : ['-addext', `subjectAltName=${names}`]),
    ...['-addext', `basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}`],
  ]);
  const own = await readFile(certFile, 'utf8');
  const cert = issuer === undefined ? own : `${own}${issuer.cert}`;
  if (issuer !== undefined) await writeFile(certFile, cert);
  return { certFile, keyFile, cert, key: await readFile(keyFile, 'utf8') };
}

/** Runs the openssl command with what it is to read; its exit is no failure. */
export async function openssl(
  args: readonly string[],
  input?: string,
): Promise<{ output: string; isOk: boolean }> {
  const running = run('openssl', [...args], { timeout: 10_000, maxBuffer: 2 ** 24 });
  const { stdin } = running.child;
  stdin?.on('error', () => undefined);
  stdin?.end(input ?? '');
  try {
    const { stdout, stderr } = await running;
    return { output: stdout + stderr, isOk: true };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    if (args[0] !== 's_client') throw error;
    return { output: stdout + stderr, isOk: false };
  }
}
