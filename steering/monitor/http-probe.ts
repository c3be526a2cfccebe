import { hash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { probeDigest } from '../../common/core/probe-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { systemCode } from '../../common/runtime/errors.ts';
import type { Family, Observation } from '../core/health.ts';
import { ProbeConnection, type Exchanged } from './probe-connection.ts';

/** A box over one address family. */
export interface Aim {
  readonly id: string;
  readonly url: string;
  readonly family: Family;
  /** Absent where the box has told no address, only a name: that is looked up in the family. */
  readonly address: string | undefined;
}

/** Asks one box over one family again and again, one time after the other. */
export interface Probe {
  /** Never rejects. */
  ask(): Promise<Observation>;
  /** Ends what is under way, and all after it. */
  close(): void;
}

/** Codes of a machine that has no way in a family at all, or of a router far from it. */
const noWayCodes = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * Makes the probe of a box over one family: `GET <url>/probe`, sent to the address with the URL's name, must answer within
 * the time with the box's own 4 KiB, verified by their hash. The connection is kept: that costs a box no handshake a second,
 * and a dead process resets it at once.
 */
export function openHttpProbe(aim: Aim, { clock, timeoutMs }: { clock: Clock; timeoutMs: number }): Probe {
  const { id, family, address } = aim;
  const url = new URL(aim.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/probe`;
  const digests = { ready: probeDigest(id, 'ready'), draining: probeDigest(id, 'draining') };
  const connection = new ProbeConnection({ url, family, address, timeoutMs });
  const judge = (exchanged: Exchanged, probeMs: number): Observation => {
    if (exchanged.kind === 'late') return { kind: 'failed', reason: `no answer within ${timeoutMs} ms` };
    if (exchanged.kind === 'broken') return failureOf(exchanged.error, family);
    const { status, body } = exchanged.answer;
    if (status !== 200) return { kind: 'failed', reason: `its probe object answers ${status}` };
    const digest = hash('sha256', body);
    if (digest === digests.ready) return { kind: 'ok', draining: false, probeMs };
    if (digest === digests.draining) return { kind: 'ok', draining: true, probeMs };
    return { kind: 'failed', reason: `what answers at ${address ?? aim.url} is not ${id}` };
  };
  return {
    async ask() {
      const startedMs = clock.monotonicMs();
      const exchanged = await connection.exchange();
      return judge(exchanged, clock.monotonicMs() - startedMs);
    },
    close: () => {
      connection.close();
    },
  };
}

function failureOf(error: unknown, family: Family): Observation {
  const code = systemCode(error);
  if (code === undefined)
    return { kind: 'failed', reason: 'its probe object cannot be read (no whole answer of HTTP/1.1 came)' };
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
