import { lookup as lookUp, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { coded } from '../../../common/runtime/errors.ts';
import { isSendable, prefixes } from './core/public-address.ts';
import type { PostWebhook } from './webhooks.ts';

const answerBytesMax = 65_536;
/** How long the rest of an answer is read whose status is known: it says nothing, but its connection can be used again. */
const restMs = 1000;

/** Finds the addresses of a name; the system's where absent. */
export type LookUpAll = (
  name: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface WebhookPostOptions {
  /** For a request and the head of its answer. */
  readonly timeoutMs?: number;
  /** Networks that are not public to which webhooks may go, as `10.0.0.0/8`. */
  readonly networks: readonly string[];
  readonly lookUpAll?: LookUpAll;
}

/**
 * Sends webhooks by HTTP, to public addresses and those that `networks` names: what a name stands for is looked at when it is connected to, so
 * that no name can lead elsewhere later. A redirection is an answer like any other: nothing is sent where nobody said. Rejects with
 * WEBHOOK_ADDRESS_REFUSED, or as undici does.
 */
export function createWebhookPost({ timeoutMs = 10_000, networks, lookUpAll = lookUp }: WebhookPostOptions): {
  post: PostWebhook;
  close: () => Promise<void>;
} {
  const agent = new Agent({ connect: guardedConnector({ timeoutMs, networks, lookUpAll }) });
  return {
    post: async (url, { headers, body, signal: stop }) => {
      const within = (ms: number) => {
        const late = AbortSignal.timeout(ms);
        return stop === undefined ? late : AbortSignal.any([stop, late]);
      };
      const reply = await request(url, {
        ...{ method: 'POST', headers, body, dispatcher: agent },
        signal: within(timeoutMs),
      });
      // Whoever has said that they took it has taken it, whatever they say after.
      await reply.body.dump({ limit: answerBytesMax, signal: within(restMs) }).catch(() => undefined);
      return reply.statusCode;
    },
    close: () => agent.close(),
  };
}

function guardedConnector({
  timeoutMs,
  networks,
  lookUpAll,
}: Required<WebhookPostOptions>): buildConnector.connector {
  const allowed = prefixes(networks);
  const refusal = (name: string) =>
    coded(
      'WEBHOOK_ADDRESS_REFUSED',
      `${name} is of no public network; --webhooks-networks names others that may be sent to`,
    );
  const lookup: LookupFunction = (name, options, done) => {
    lookUpAll(name, { ...options, all: true }, (error, found) => {
      const addresses = error === null ? found.filter(({ address }) => isSendable(address, allowed)) : [];
      const [first] = addresses;
      if (error !== null || first === undefined) done(error ?? refusal(name), '');
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ timeout: timeoutMs, lookup });
  return (target, done) => {
    // An address is not looked up.
    if (isIP(target.hostname) !== 0 && !isSendable(target.hostname, allowed))
      done(refusal(target.hostname), null);
    else connect(target, done);
  };
}
