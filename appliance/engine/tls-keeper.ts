import type { ProblemCode } from '../../common/contract/problem.ts';
import { assert, toCoded } from '../../common/runtime/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { EngineTls } from './engine.ts';
import { TicketKeys } from './ticket-keys.ts';
import {
  certificatesStamp,
  expiryReason,
  loadCertificates,
  type BoxCertificate,
  type TlsFiles,
} from './tls-settings.ts';

export interface TlsKeeperOptions {
  readonly files: TlsFiles;
  readonly h2: boolean;
  /** What serves by TLS. */
  readonly serving: {
    setTls(tls: EngineTls): void;
    setTicketKeys(keys: readonly Buffer[]): void;
  };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

const everyMs = 10_000;

/**
 * Keeps what the box serves TLS with: certificates, read again when their files change, and ticket keys, replaced in
 * time. A wrong new file changes nothing but what the box says of itself.
 */
export class TlsKeeper {
  readonly #options: TlsKeeperOptions;
  readonly #ticketKeys: TicketKeys;
  #certificates: readonly BoxCertificate[] = [];
  /** Of the files as they were last read. */
  #stamp = '';
  #refused: ProblemCode | undefined;
  #told: ProblemCode | undefined;

  constructor(options: TlsKeeperOptions) {
    this.#options = options;
    this.#ticketKeys = new TicketKeys(options);
  }

  /**
   * Reads all of it for the first time.
   *
   * @throws TLS_CERTIFICATE_INVALID, TLS_CERTIFICATE_EXPIRED.
   */
  async load(): Promise<void> {
    // Stamped before it is read: what changes meanwhile is read again.
    this.#stamp = await certificatesStamp(this.#options.files);
    this.#options.serving.setTicketKeys(this.#ticketKeys.keys);
    await this.#read();
    this.#tellExpiry();
  }

  /** Whom the default certificate is for. */
  get certificate(): Pick<BoxCertificate, 'names' | 'addresses'> {
    const [first] = this.#certificates;
    assert(first !== undefined, 'certificates are loaded first');
    return first;
  }

  /** Problem codes of what is wrong. */
  reasons(): ProblemCode[] {
    const expiry = expiryReason(this.#certificates, this.#options.clock.nowMs());
    return [this.#refused, expiry].filter((code) => code !== undefined);
  }

  /** Looks at the files and the time now; also called every ten seconds. */
  async check(): Promise<void> {
    const { files, log, serving } = this.#options;
    if (this.#ticketKeys.rotate()) serving.setTicketKeys(this.#ticketKeys.keys);
    const stamp = await certificatesStamp(files);
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      try {
        await this.#read();
        log.info({ certificates: this.#certificates.length }, 'new TLS certificates are in force');
      } catch (error) {
        const failure = toCoded(error);
        this.#refused = failure.code;
        log.warn(
          { code: failure.code, err: failure },
          'TLS certificates changed and cannot be used; the old ones stay',
        );
      }
    }
    this.#tellExpiry();
  }

  /** Runs until it is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#options.clock.sleep(everyMs, { signal });
      } catch {
        return;
      }
      await this.check();
    }
  }

  async #read(): Promise<void> {
    const { files, clock, serving, h2 } = this.#options;
    const certificates = await loadCertificates(files, clock.nowMs());
    serving.setTls({
      certificates: certificates.map(({ names, chainPem, keyPem }) => ({ names, chainPem, keyPem })),
      h2,
    });
    this.#certificates = certificates;
    this.#refused = undefined;
  }

  #tellExpiry(): void {
    const { clock, log } = this.#options;
    const code = expiryReason(this.#certificates, clock.nowMs());
    if (code !== undefined && code !== this.#told) {
      const endMs = Math.min(...this.#certificates.map(({ notAfterMs }) => notAfterMs));
      log.warn({ code, notAfter: new Date(endMs).toISOString() }, 'a TLS certificate must be renewed');
    }
    this.#told = code;
  }
}

/** Certificates and ticket keys are there before anything is served, and are kept from then on. */
export function tlsComponent(keeper: TlsKeeper): Component {
  let done: Promise<void> | undefined;
  return {
    name: 'tls',
    async start({ signal, crash }) {
      await keeper.load();
      done = keeper.run(signal).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}
