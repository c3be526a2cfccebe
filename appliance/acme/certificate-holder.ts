import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded, toCoded } from '../../common/runtime/errors.ts';
import { exportPrivateKey, loadOrCreateKey } from '../../common/runtime/keys.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import { loadCertificates } from '../engine/tls-settings.ts';
import { certificateFiles } from './certificate-files.ts';
import { orderCertificate, type OrderedCertificate } from './order-certificate.ts';
import { selfSigned } from './self-signed.ts';

export interface CertificateHolderOptions {
  readonly directory: string;
  readonly contact: string | undefined;
  /** The one name that the certificate is for. */
  readonly name: string;
  /** Where account key, certificate and its key are. */
  readonly dir: string;
  /** As of an order; resolves to what is amiss for those who look, if anything. */
  readonly publish: (values: readonly string[]) => Promise<void>;
  /** Told when there is a new certificate. */
  readonly onChange: () => Promise<void>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

const hourMs = 3_600_000;
/** The clock of a machine may be set: it is looked at anew. */
const lookMsMax = hourMs;
/** After one that was given the next is ordered: with a clock that is wrong each would seem to be due for renewal. */
const orderEveryMs = 12 * hourMs;
/** Renewed when a third of its life is left, as authorities ask. */
const renewShare = 2 / 3;
/** Authorities refuse whoever fails five times in an hour: the fifth of these is an hour after the first. */
const orderRetryMs = { min: 120_000, max: hourMs };
/** What is ours comes back by itself, and costs nobody anything. */
const ownRetryMs = { min: 2000, max: 60_000 };
const spread = 0.1;

/**
 * Holds a certificate of an authority for the box's own name, and has it renewed in time. Until the first one comes the box serves
 * with one of its own making, which players and steering refuse, so that nobody is sent there.
 */
export class CertificateHolder {
  readonly #options: CertificateHolderOptions;
  readonly #files: ReturnType<typeof certificateFiles>;
  #isPending = false;
  #failure: string | undefined;
  #failures = 0;
  /** Monotonic time of the last one that was given. */
  #givenAtMs = -Infinity;

  constructor(options: CertificateHolderOptions) {
    this.#options = options;
    this.#files = certificateFiles(options.dir);
  }

  /** What is wrong with it: codes, with words where an order failed. */
  reasons(): string[] {
    const pending = this.#isPending ? ['TLS_CERTIFICATE_PENDING'] : [];
    return this.#failure === undefined ? pending : [...pending, this.#failure];
  }

  /** Sees to it that there is a certificate that can be served, whoever vouches for it. */
  async prepare(): Promise<void> {
    const { dir, name, clock, log } = this.#options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    try {
      await loadCertificates(this.#files, clock.nowMs());
    } catch (error) {
      if (!isCoded(error)) throw error;
      log.info({ name, reason: error.detail }, 'the box has no certificate yet, and makes one for itself');
      await this.#put(await selfSigned(name, clock.nowMs()));
    }
    this.#isPending = isOwn(await this.#read());
  }

  /** Orders and renews until it is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const soonestMs = this.#givenAtMs + orderEveryMs - clock.monotonicMs();
      const leftMs = Math.max((await this.#dueMs()) - clock.nowMs(), soonestMs);
      const waitMs = leftMs <= 0 ? await this.#order(signal) : leftMs;
      await clock.sleep(Math.min(waitMs, lookMsMax), { signal }).catch(() => undefined);
    }
  }

  /** @returns how long to wait until the next look. */
  async #order(signal: AbortSignal): Promise<number> {
    const { directory, name, contact, publish, clock, log, onChange } = this.#options;
    try {
      const account = await this.#accountKey();
      // Nothing is asked of the authority before it could see an answer.
      await publish([]);
      const order = orderCertificate({ directory, accountKeyPem: account, contact, name, publish });
      const ordered = await orAbort(order, signal);
      if (ordered === undefined) return 0;
      await this.#put(ordered);
      const notAfter = (await this.#read()).validTo;
      log.info({ name, notAfter }, 'an authority has certified the box');
      this.#isPending = false;
      this.#failure = undefined;
      this.#failures = 0;
      this.#givenAtMs = clock.monotonicMs();
      await onChange();
      return 0;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): number {
    const { name, chance, log } = this.#options;
    const failure = toCoded(error);
    const limits = failure.code === 'ACME_ORDER_FAILED' ? orderRetryMs : ownRetryMs;
    const waitMs = Math.min(limits.max, limits.min * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#failure = `${failure.code}: ${failure.detail ?? failure.title}`;
    log.warn({ name, code: failure.code, err: failure, retryMs: waitMs }, 'no certificate could be had');
    return waitMs * (1 + spread * chance.fraction());
  }

  /** When the next one is to be ordered: at once where nobody vouches for this one, or it is for another name. */
  async #dueMs(): Promise<number> {
    const held = await this.#read();
    if (isOwn(held) || held.checkHost(this.#options.name) === undefined) return 0;
    const fromMs = held.validFromDate.getTime();
    return fromMs + (held.validToDate.getTime() - fromMs) * renewShare;
  }

  async #accountKey(): Promise<string> {
    const path = join(this.#options.dir, 'account.pem');
    return exportPrivateKey(await loadOrCreateKey(path));
  }

  async #read(): Promise<X509Certificate> {
    return new X509Certificate(await readFile(this.#files.certFile));
  }

  /** The key first: who watches the files waits for the certificate that goes with it. */
  async #put({ keyPem, chainPem }: OrderedCertificate): Promise<void> {
    await writePrivateFile(this.#files.keyFile, keyPem);
    await writePrivateFile(this.#files.certFile, chainPem);
  }
}

/** Whether nobody but itself vouches for it. */
function isOwn(certificate: X509Certificate): boolean {
  return certificate.issuer === certificate.subject && certificate.checkIssued(certificate);
}

/** Undefined where the signal comes first; what is under way is left to its end, which nobody hears. */
async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
    if (signal.aborted) resolve(undefined);
  });
  work.catch(() => undefined);
  return Promise.race([work, aborted]);
}

/** The certificate is there before anything listens, and is ordered and renewed once the box reports. */
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
