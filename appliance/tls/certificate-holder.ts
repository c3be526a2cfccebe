import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

import type { Clock } from '../../common/runtime/clock.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import { isCoded, toCoded } from '../../common/runtime/errors.ts';
import { exportPrivateKey, generateKey } from '../../common/runtime/keys.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import { loadCertificates } from '../engine/tls-settings.ts';
import type { ControlLink } from '../uplink/control-link.ts';
import { certificateFiles } from './certificate-files.ts';
import { requestOf, selfSigned } from './certificate-request.ts';
import { backoffMs } from '../../common/core/backoff.ts';

export interface CertificateHolderOptions {
  /** Where certificate and key are. */
  readonly dir: string;
  /** The control plane, which has an authority certify. */
  readonly link: Pick<ControlLink, 'certificateName' | 'certificate'>;
  /** Told when there is a new certificate. */
  readonly onChange: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

const hourMs = 3_600_000;
/** The clock of a machine may be set: it is looked at anew. */
const lookMsMax = hourMs;
/** After one that was given the next is asked for: with a clock that is wrong each would seem to be due for renewal. */
const askEveryMs = 12 * hourMs;
/** Renewed when a third of its life is left, as authorities ask. */
const renewShare = 2 / 3;
const retries = { firstMs: 2000, maxMs: 60_000 };

/**
 * Holds a certificate of an authority for the box's own name, and has it renewed in time; the control plane deals with the authority, and
 * the keys stay here. Until the first one comes the box serves with one of its own making, which players and steering refuse, so
 * that nobody is sent there.
 */
export class CertificateHolder {
  readonly #options: CertificateHolderOptions;
  readonly #files: ReturnType<typeof certificateFiles>;
  /** The key of the certificate that is asked for. */
  readonly #nextKeyFile: string;
  #request: { readonly name: string; readonly csr: string } | undefined;
  #isPending = false;
  #failure: string | undefined;
  #failures = 0;
  /** Monotonic time of the last one that was given. */
  #givenAtMs = -Infinity;

  constructor(options: CertificateHolderOptions) {
    this.#options = options;
    this.#files = certificateFiles(options.dir);
    this.#nextKeyFile = join(options.dir, 'next.key');
  }

  /** What is wrong with it: a code, and words where it could not be had. */
  reasons(): string[] {
    const pending = this.#isPending ? ['TLS_CERTIFICATE_PENDING'] : [];
    return this.#failure === undefined ? pending : [...pending, this.#failure];
  }

  /**
   * Sees to it that there is a certificate that can be served, whoever vouches for it.
   *
   * @throws what the control plane answers where it is asked for the name: CERTIFICATES_OFF, CONTROL_UNREACHABLE; OPENSSL_FAILED.
   */
  async prepare(): Promise<void> {
    const { dir, link, clock, log } = this.#options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    try {
      await loadCertificates(this.#files, clock.nowMs());
    } catch (error) {
      if (!isCoded(error)) throw error;
      const name = await link.certificateName();
      log.info(
        { certificate: name, reason: error.detail },
        'the box has no certificate, and makes one for itself',
      );
      const { keyFile, certFile } = this.#files;
      await writePrivateFile(keyFile, exportPrivateKey(generateKey()));
      await writePrivateFile(certFile, await selfSigned(keyFile, name));
    }
    this.#isPending = isOwn(await this.#read());
  }

  /** Asks and renews until it is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const soonestMs = this.#givenAtMs + askEveryMs - clock.monotonicMs();
      const leftMs = Math.max((await this.#dueMs()) - clock.nowMs(), soonestMs);
      const waitMs = leftMs <= 0 ? await this.#ask(signal) : leftMs;
      await clock.sleep(Math.min(waitMs, lookMsMax), { signal }).catch(() => undefined);
    }
  }

  /** @returns how long to wait until the next look. */
  async #ask(signal: AbortSignal): Promise<number> {
    const { link, clock, log, onChange } = this.#options;
    try {
      const name = await link.certificateName();
      const csr = await this.#requestFor(name);
      const { chain, retryMs = lookMsMax } = await link.certificate(csr, signal);
      if (chain === undefined) return retryMs;
      await this.#take(chain);
      log.info(
        { certificate: name, notAfter: (await this.#read()).validTo },
        'an authority vouches for the box',
      );
      this.#isPending = false;
      this.#failure = undefined;
      this.#failures = 0;
      this.#givenAtMs = clock.monotonicMs();
      await onChange();
      return 0;
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(error);
    }
  }

  /** The same until there is a certificate for it: signing anew would be another request. */
  async #requestFor(name: string): Promise<string> {
    if (this.#request?.name !== name) {
      await writePrivateFile(this.#nextKeyFile, exportPrivateKey(generateKey()));
      this.#request = { name, csr: await requestOf(this.#nextKeyFile, name) };
    }
    return this.#request.csr;
  }

  /** The key first: who watches the files waits for the certificate that goes with it. */
  async #take(chain: string): Promise<void> {
    const { dir, clock } = this.#options;
    const { keyFile, certFile } = this.#files;
    const next = { certFile: join(dir, 'next.crt'), keyFile: this.#nextKeyFile };
    await writePrivateFile(next.certFile, chain);
    await loadCertificates(next, clock.nowMs());
    await rename(next.keyFile, keyFile);
    await rename(next.certFile, certFile);
    this.#request = undefined;
    await syncDirectory(dir);
  }

  #failed(error: unknown): number {
    const failure = toCoded(error);
    const waitMs = backoffMs(retries, this.#failures++);
    const said = `${failure.code}: ${failure.detail ?? failure.title}`;
    if (said !== this.#failure)
      this.#options.log.warn(
        { code: failure.code, err: failure },
        'no certificate could be had; it is tried again',
      );
    this.#failure = said;
    return waitMs;
  }

  /** When the next one is to be asked for: at once where nobody vouches for this one. */
  async #dueMs(): Promise<number> {
    const held = await this.#read();
    if (isOwn(held)) return 0;
    const fromMs = held.validFromDate.getTime();
    return fromMs + (held.validToDate.getTime() - fromMs) * renewShare;
  }

  async #read(): Promise<X509Certificate> {
    return new X509Certificate(await readFile(this.#files.certFile));
  }
}

/** Whether nobody but itself vouches for it. */
function isOwn(certificate: X509Certificate): boolean {
  return certificate.issuer === certificate.subject && certificate.checkIssued(certificate);
}

/** There is a certificate before anything listens; an authority's is asked for once the box reports. */
export function certificateComponent(holder: CertificateHolder): Component {
  let done: Promise<void> | undefined;
  return {
    name: 'certificate',
    async start({ signal, crash }) {
      await holder.prepare();
      done = holder.run(signal).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}
