import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { ApiDescription, type ApiPaths } from '../../common/runtime/http-openapi.ts';
import { createControlClient, type ControlClient } from '../../common/runtime/control-client.ts';
import { coded, isCoded, type CodedError } from '../../common/runtime/errors.ts';
import { readPrivateFile } from '../../common/runtime/private-file.ts';
import { pathOf, type Calls, type Interface, type ServiceName } from './interface.ts';

export interface CallersOptions {
  /** Where services run, by their names. */
  readonly urls: ReadonlyMap<ServiceName, string>;
  /** The file of the token that the core writes for its services. */
  readonly tokenFile: string | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** Calls to services in other processes. */
export interface Callers {
  /** Throws CONFIG_INVALID where nobody has said where the service runs, or what to show it. */
  of(one: Interface): Calls<Interface>;
  /** What a service says of its own routes. Errors: those of a call. */
  describe(service: ServiceName): Promise<ApiPaths>;
  close(): Promise<void>;
}

const timeoutMs = 5000;
const answerBytesMax = 4 * 1024 * 1024;
/** A token that was replaced is read anew within this. */
const tokenKeptMs = 10_000;

/** Makes them; connects when first asked. */
export function createCallers(options: CallersOptions): Callers {
  const { urls, tokenFile, clock, chance } = options;
  const clients = new Map<ServiceName, ControlClient>();
  const authorize = tokenReader(tokenFile ?? '', clock);
  const clientOf = (service: ServiceName): ControlClient => {
    const known = clients.get(service);
    if (known !== undefined) return known;
    const url = urls.get(service);
    if (url === undefined)
      throw coded('CONFIG_INVALID', `--service-urls does not say where ${service} runs: ${service}=http://…`);
    if (tokenFile === undefined)
      throw coded('CONFIG_INVALID', `--service-token-file is missing: what ${service} knows this process by`);
    const client = createControlClient({ url, clock, chance, authorize, timeoutMs });
    clients.set(service, client);
    return client;
  };
  return {
    of(one) {
      const client = clientOf(one.service);
      const calls = Object.entries(one.verbs).map(
        ([verb, { answer, isRepeatable, waitMs = 0, ...limits }]) => {
          const call: Calls<Interface>[string] = async (body, { signal } = {}) => {
            const asked = {
              ...({ method: 'POST', path: pathOf(one, verb), body, signal, waitMs } as const),
              ...{ idempotent: isRepeatable, answerBytesMax: limits.answerBytesMax ?? answerBytesMax },
            };
            try {
              const { value } = await client.json(asked, answer);
              if (value !== undefined) return value;
            } catch (error) {
              throw isCoded(error) ? ownError(error, one) : error;
            }
            throw coded('UNAVAILABLE', `${one.service} answers ${verb} with nothing`);
          };
          return [verb, call] as const;
        },
      );
      return Object.fromEntries(calls);
    },
    async describe(service) {
      const asked = { method: 'GET', path: '/openapi.json', answerBytesMax } as const;
      return (await clientOf(service).json(asked, ApiDescription)).value?.paths ?? {};
    },
    async close() {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}

/** What is between the two services is not the fault of whoever asks this one: neither that it is away, nor what it thinks of our token. */
function ownError(cause: CodedError, { service }: Interface): CodedError {
  const { code, detail } = cause;
  const isOurs = code === 'CONTROL_UNREACHABLE' || code === 'FORBIDDEN' || code.startsWith('CREDENTIAL_');
  return isOurs
    ? coded('UNAVAILABLE', { detail: `${service}: ${detail ?? code}`, cause, retryAfterMs: 1000 })
    : cause;
}

function tokenReader(path: string, clock: Clock): () => Promise<string> {
  let held: { readonly header: string; readonly untilMs: number } | undefined;
  return async () => {
    if (held === undefined || clock.monotonicMs() >= held.untilMs) {
      const token = (await readPrivateFile(path))?.trim();
      if (token === undefined)
        throw coded('UNAVAILABLE', {
          detail: `${path}: the core has not written its token`,
          retryAfterMs: 1000,
        });
      held = { header: `Bearer ${token}`, untilMs: clock.monotonicMs() + tokenKeptMs };
    }
    return held.header;
  };
}
