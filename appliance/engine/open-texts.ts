import type { KeyObject } from 'node:crypto';

import type { HealthView } from '../../common/contract/status.ts';
import { probeObject } from '../../common/core/probe-object.ts';
import { verifyAccessToken } from '../../common/runtime/access-tokens.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import { isLoopback } from '../../common/runtime/listen.ts';
import { metricsContentType } from '../../common/runtime/metrics.ts';
import type { MetricsCaller, PlainText } from './exchange.ts';

export interface OpenTextsOptions {
  name: string;
  version: string;
  /** The metrics of the whole box in the Prometheus text format. */
  metricsText: () => Promise<string>;
  clock: Clock;
  /** Finds a key that access tokens may be signed with. */
  findAccessKey: (kid: string) => KeyObject | undefined;
}

/**
 * The texts besides files: health and the object of steering's probes for everyone, metrics for this machine and for those
 * who may see everything.
 */
export class OpenTexts {
  readonly #options: OpenTextsOptions;
  state: 'ready' | 'draining' = 'ready';
  readonly #objects: Readonly<Record<'ready' | 'draining', PlainText>>;

  constructor(options: OpenTextsOptions) {
    this.#options = options;
    const objectOf = (state: 'ready' | 'draining'): PlainText => ({
      contentType: 'application/octet-stream',
      text: probeObject(options.name, state),
    });
    this.#objects = { ready: objectOf('ready'), draining: objectOf('draining') };
  }

  probe(): PlainText {
    return this.#objects[this.state];
  }

  health(): PlainText {
    const { name, version } = this.#options;
    const status = this.state === 'draining' ? 'draining' : 'ok';
    const view: HealthView = { status, name, version };
    return { contentType: 'application/json', text: JSON.stringify(view) };
  }

  /** Errors: CREDENTIAL_MISSING, CREDENTIAL_INVALID, CREDENTIAL_EXPIRED, FORBIDDEN. */
  async metrics(caller: MetricsCaller): Promise<PlainText> {
    const { metricsText, clock, findAccessKey } = this.#options;
    // A proxy on this machine calls from loopback for anyone.
    if (caller.forwarded || !isLoopback(caller.address)) {
      const token = /^Bearer (\S+)$/i.exec(caller.authorization ?? '')?.[1];
      if (token === undefined) throw coded('CREDENTIAL_MISSING');
      const { role } = await verifyAccessToken(token, { findKey: findAccessKey, clock });
      if (role === 'viewer' || role === 'partner') throw coded('FORBIDDEN', 'metrics are for operators');
    }
    return { contentType: metricsContentType, text: await metricsText() };
  }
}
