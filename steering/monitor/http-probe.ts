import { Agent, request } from 'undici';
import { HealthView } from '../../common/contract/status.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { systemCode } from '../../common/runtime/errors.ts';
import { matches } from '../../common/runtime/parse.ts';
import type { Observation } from '../core/health.ts';
import type { Probe, Target } from './monitor.ts';

export interface HttpProbe {
  readonly probe: Probe;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 4096;

/**
 * Makes the probe of a node: `GET <url>/healthz` must answer within the time with a health view that names the node, so
 * that another process on its address does not pass for it.
 */
export function createHttpProbe({ clock, timeoutMs }: { clock: Clock; timeoutMs: number }): HttpProbe {
  // Kept connections cost a node no handshake a second, and a dead process resets them at once.
  const agent = new Agent({ connections: 1, pipelining: 1, maxResponseSize: BODY_BYTES_MAX });
  const probe: Probe = async (target, signal) => {
    const startedMs = clock.monotonicMs();
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const { statusCode, body } = await request(`${target.url.replace(/\/$/, '')}/healthz`, {
        dispatcher: agent,
        signal: AbortSignal.any([signal, late]),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
      const text = await body.text();
      return judge(target, { statusCode, text, probeMs: clock.monotonicMs() - startedMs });
    } catch (error) {
      return { kind: 'failed', reason: late.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error) };
    }
  };
  return { probe, close: () => agent.destroy() };
}

function judge(
  target: Target,
  { statusCode, text, probeMs }: { statusCode: number; text: string; probeMs: number },
): Observation {
  if (statusCode !== 200) return { kind: 'failed', reason: `its health answers ${statusCode}` };
  const view = parseJson(text);
  if (!matches(HealthView, view)) return { kind: 'failed', reason: 'its health is not readable' };
  if (view.name !== target.id) {
    return { kind: 'failed', reason: `${target.url} is ${view.name.slice(0, 63)}, not ${target.id}` };
  }
  return { kind: 'ok', draining: view.status === 'draining', probeMs };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const code = systemCode(error);
  return code === undefined ? 'its health cannot be read' : `its health cannot be read (${code})`;
}
