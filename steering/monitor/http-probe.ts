import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { buildConnector, Client } from 'undici';
import { probeBytes, probeDigest } from '../../common/core/probe-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { systemCode } from '../../common/runtime/errors.ts';
import type { Family, Observation } from '../core/health.ts';

/** A box over one address family. */
export interface Aim {
  readonly id: string;
  readonly url: string;
  readonly family: Family;
  /** Absent where the box has told no address, only a name: that is looked up in the family. */
  readonly address: string | undefined;
}

/** Asks one box over one family again and again. */
export interface Probe {
  /** Never rejects. */
  ask(signal: AbortSignal): Promise<Observation>;
  close(): Promise<void>;
}

/** Codes of a machine that has no way in a family at all, or of a router far from it. */
const noWayCodes = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * Makes the probe of a box over one family: `GET <url>/probe`, sent to the address with the URL's name, must answer within
 * the time with the box's own 4 KiB, verified by their hash. The connection is kept: that costs a box no handshake a second,
 * and a dead process resets it at once.
 */
export function openHttpProbe(aim: Aim, { clock, timeoutMs }: { clock: Clock; timeoutMs: number }): Probe {
  const { origin, pathname } = new URL(aim.url);
  const path = `${pathname.replace(/\/$/, '')}/probe`;
  const digests = { ready: probeDigest(aim.id, 'ready'), draining: probeDigest(aim.id, 'draining') };
  const connect = buildConnector({ family: aim.family, timeout: timeoutMs, allowH2: false });
  const client = new Client(origin, {
    pipelining: 1,
    maxResponseSize: probeBytes,
    connect: (options, callback) => {
      connect({ ...options, hostname: aim.address ?? options.hostname }, callback);
    },
  });
  const ask = async (signal: AbortSignal): Promise<Observation> => {
    const startedMs = clock.monotonicMs();
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const { statusCode, body } = await client.request({
        method: 'GET',
        path,
        signal: AbortSignal.any([signal, late]),
      });
      const bytes = await body.bytes();
      const probeMs = clock.monotonicMs() - startedMs;
      if (statusCode !== 200) return { kind: 'failed', reason: `its probe object answers ${statusCode}` };
      const digest = createHash('sha256').update(bytes).digest('hex');
      if (digest === digests.ready) return { kind: 'ok', draining: false, probeMs };
      if (digest === digests.draining) return { kind: 'ok', draining: true, probeMs };
      return { kind: 'failed', reason: `what answers at ${aim.address ?? aim.url} is not ${aim.id}` };
    } catch (error) {
      if (late.aborted) return { kind: 'failed', reason: `no answer within ${timeoutMs} ms` };
      return failureOf(error, aim.family);
    }
  };
  return { ask, close: () => client.destroy() };
}

function failureOf(error: unknown, family: Family): Observation {
  const code = systemCode(error);
  if (code === undefined) return { kind: 'failed', reason: 'its probe object cannot be read' };
  if (noWayCodes.has(code) && !hasOwnAddress(family)) {
    return { kind: 'blind', reason: `this node has no IPv${family} of its own (${code})` };
  }
  return { kind: 'failed', reason: `its probe object cannot be read (${code})` };
}

function hasOwnAddress(family: Family): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(
      ({ family: own, internal, address }) =>
        own === `IPv${family}` && !internal && !address.startsWith('fe80:'),
    ),
  );
}
