import { createHash } from 'node:crypto';

import { LRUCache } from 'lru-cache';

import type { CertificateReply } from '../../../common/contract/certificates.ts';
import { Limiter } from '../../../common/core/limiter.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, toCoded, type CodedError } from '../../../common/runtime/errors.ts';
import { exportPrivateKey, loadOrCreateKey } from '../../../common/runtime/keys.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { checkRequest, orderCertificate } from './order.ts';
import { backoffMs } from '../../../common/core/backoff.ts';

/** The authority that certifies boxes. */
export interface Authority {
  /** Its ACME directory. */
  readonly directory: string;
  /** Steering's zone, under which each box has a name. */
  readonly zone: string;
  readonly contact: string | undefined;
}

export interface CertificatesOptions {
  /** Undefined where there is none: nobody is certified. */
  readonly authority: Authority | undefined;
  /** Where the key of the account is. */
  readonly accountKeyFile: string;
  /** Has steering show these TXT records under the node's name; resolves once it does. Errors: UNAVAILABLE. */
  readonly publish: (node: string, values: readonly string[]) => Promise<void>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

/** Has nodes certified for the names that they have under steering's zone. Their keys stay with them. */
export interface Certificates {
  /** The name that a node's certificate is for. Errors: CERTIFICATES_OFF. */
  nameOf(node: string): string;
  /**
   * The certificate for a request, once the authority has given it; the same request is answered the same. Errors:
   * CERTIFICATES_OFF, INVALID for another name, RATE_LIMITED, ACME_ORDER_FAILED and what `publish` throws until it is tried again.
   */
  certify(node: string, csr: string): Promise<CertificateReply>;
}

interface Order {
  readonly digest: string;
  chain?: string;
  /** Why the last try failed, and when the next may be (monotonic ms). */
  failure?: { readonly error: CodedError; readonly untilMs: number };
  failures: number;
  isUnderWay: boolean;
}

const dayMs = 24 * 3_600_000;
const askAgainMs = 1000;
const ordersAtOnce = 4;
/** More requests than nodes that a control plane has. */
const ordersMax = 10_000;
/** A box whose clock is wrong, or that is not what it was, must not use up what the authority gives to a zone. */
const requestsPerDayMax = 5;
/** Authorities refuse whoever fails five times in an hour: the fifth of these is an hour after the first. */
const refusedRetries = { firstMs: 120_000, maxMs: 3_600_000 };
/** What is ours comes back by itself, and costs nobody anything. */
const ownRetries = { firstMs: 2000, maxMs: 60_000 };
const spread = 0.1;

export function createCertificates(options: CertificatesOptions): Certificates {
  return new AuthorityDesk(options);
}

class AuthorityDesk implements Certificates {
  readonly #options: CertificatesOptions;
  readonly #orders = new LRUCache<string, Order>({ max: ordersMax });
  /** When each node came with another request, of the last day (monotonic ms). */
  readonly #requests = new LRUCache<string, number[]>({ max: ordersMax });
  readonly #turns = new Limiter({ runsMax: ordersAtOnce });

  constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  nameOf(node: string): string {
    return `${node}.${this.#authority().zone}`;
  }

  async certify(node: string, csr: string): Promise<CertificateReply> {
    const { clock } = this.#options;
    const name = this.nameOf(node);
    const digest = createHash('sha256').update(csr).digest('base64url');
    // A box asks again each second while its order is under way.
    if (this.#orders.get(node)?.digest !== digest) await checkRequest(csr, name);
    const order = this.#orderOf(node, digest);
    if (order.chain !== undefined) return { chain: order.chain };
    if (order.isUnderWay) return { retryMs: askAgainMs };
    const { failure } = order;
    const leftMs = (failure?.untilMs ?? 0) - clock.monotonicMs();
    if (failure !== undefined && leftMs > 0) {
      const { code, detail } = failure.error;
      throw coded(code, { detail, retryAfterMs: leftMs, cause: failure.error });
    }
    order.isUnderWay = true;
    void this.#turns.run(() => this.#run(order, { node, name, csr }));
    return { retryMs: askAgainMs };
  }

  #authority(): Authority {
    const { authority } = this.#options;
    if (authority === undefined)
      throw coded('CERTIFICATES_OFF', 'the control plane needs --acme-directory and --acme-zone for it');
    return authority;
  }

  #orderOf(node: string, digest: string): Order {
    const held = this.#orders.get(node);
    if (held?.digest === digest) return held;
    const nowMs = this.#options.clock.monotonicMs();
    const lately = (this.#requests.get(node) ?? []).filter((atMs) => nowMs - atMs < dayMs);
    if (lately.length >= requestsPerDayMax) {
      const detail = `${node} has come with ${requestsPerDayMax} requests within a day`;
      throw coded('RATE_LIMITED', { detail, retryAfterMs: (lately[0] ?? nowMs) + dayMs - nowMs });
    }
    this.#requests.set(node, [...lately, nowMs]);
    const order = { digest, failures: 0, isUnderWay: false };
    this.#orders.set(node, order);
    return order;
  }

  async #run(order: Order, { node, name, csr }: { node: string; name: string; csr: string }): Promise<void> {
    const { accountKeyFile, log } = this.#options;
    const publish = (values: readonly string[]): Promise<void> => this.#options.publish(node, values);
    try {
      const { directory, contact } = this.#authority();
      const accountKeyPem = exportPrivateKey(await loadOrCreateKey(accountKeyFile));
      // Nothing is asked of the authority before it could see an answer.
      await publish([]);
      order.chain = await orderCertificate({ directory, accountKeyPem, contact, name, csr, publish });
      delete order.failure;
      log.info({ node, certificate: name }, 'an authority has certified a node');
    } catch (error) {
      order.failure = this.#failed(order, toCoded(error));
      log.warn({ node, certificate: name, err: order.failure.error }, 'no certificate could be had');
    } finally {
      order.isUnderWay = false;
    }
  }

  #failed(order: Order, error: CodedError): NonNullable<Order['failure']> {
    const { clock, chance } = this.#options;
    const waits = error.code === 'ACME_ORDER_FAILED' ? refusedRetries : ownRetries;
    const waitMs = backoffMs(waits, order.failures++);
    return { error, untilMs: clock.monotonicMs() + waitMs * (1 + spread * chance.fraction()) };
  }
}
