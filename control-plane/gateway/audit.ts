import type { FastifyRequest } from 'fastify';
import type { AuditDraft } from '../../common/contract/audit.ts';
import type { App } from '../../common/runtime/http-app.ts';
import { fromFastify } from '../../common/runtime/http-errors.ts';
import { addressKey } from '../../common/runtime/http-rates.ts';
import { redactText } from '../../common/runtime/redact.ts';

/** Who does what. */
type Act = Pick<AuditDraft, 'account' | 'role' | 'session' | 'network' | 'action' | 'object' | 'detail'>;

/** What the gateway needs of the audit log. */
export interface ActLog<Begun = { readonly sequence: number }> {
  /** Resolves once it is written that an act begins; without that it must not be done. */
  begin(act: Act): Promise<Begun>;
  end(begun: Begun, how: Pick<AuditDraft, 'outcome' | 'code' | 'object'>): void;
  /** Counts a refusal. */
  count(event: Pick<Act, 'account' | 'role' | 'network' | 'action'> & { code: string }): void;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What the audit log says of a change beside the names of its fields: the values of these, which are no secrets. `false`: it is
     * none that anybody would ask after.
     */
    audit?: false | { readonly values: readonly string[] };
  }
  interface FastifyRequest {
    /** The act that is under way; for the audit log alone. */
    act: { readonly begun: unknown; code?: string; object?: string } | undefined;
  }
}

const lengthMax = 200;
const detailLengthMax = 500;

/**
 * Writes every change by operators, admins, partners, services and API tokens to the audit log, for all routes that are registered
 * from now on: that it begins, before it is done, and how it ended. What cannot be written is refused with AUDIT_UNAVAILABLE.
 */
export function auditActs<Begun>(app: App, audit: ActLog<Begun>): void {
  app.decorateRequest('act');
  app.addHook('preHandler', async (request) => {
    const actor = actorOf(request);
    if (actor === undefined) return;
    const [object, detail] = [objectOf(request), detailOf(request)];
    const act = { ...actor, ...(object && { object }), ...(detail && { detail }) };
    request.act = { begun: await audit.begin(act) };
  });
  app.addHook('preSerialization', async (request, _reply, payload) => {
    const { id } = (payload ?? {}) as { id?: unknown };
    // What was made has a name only now.
    if (request.act !== undefined && objectOf(request) === undefined && typeof id === 'string')
      request.act.object = cut(id);
    return payload;
  });
  app.addHook('onError', async ({ act }, _reply, error) => {
    if (act !== undefined) act.code = fromFastify(error).code;
  });
  app.addHook('onSend', async (request, { statusCode }) => {
    const { act } = request;
    if (act !== undefined) {
      const outcome = statusCode < 400 ? 'done' : statusCode < 500 ? 'refused' : 'failed';
      const { begun, ...known } = act;
      audit.end(begun as Begun, { outcome, ...known });
      request.act = undefined;
    } else if (statusCode === 403) {
      const actor = actorOf(request);
      if (actor !== undefined) audit.count({ ...actor, code: 'FORBIDDEN' });
    }
  });
}

/** Whose act a request is; undefined for what is none, and for nodes, viewers and those who sign in. */
function actorOf(request: FastifyRequest): Omit<Act, 'object' | 'detail'> | undefined {
  const { method, routeOptions } = request;
  const { url, config } = routeOptions;
  // Not there before the credential was looked at.
  const caller = request.caller as FastifyRequest['caller'] | undefined;
  if (caller?.kind !== 'access' || url === undefined || config.audit === false) return undefined;
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return undefined;
  const { role, sub, sid } = caller;
  const isViewer = role === 'viewer';
  if (isViewer && sid?.startsWith('tok_') !== true) return undefined;
  return {
    // A route is no secret, though it may look like the way to one: /v1/events/exports beside /v1/events/:token.
    ...{ account: cut(sub), role, action: `${method} ${url}`.slice(0, lengthMax) },
    ...(sid !== undefined && { session: cut(sid) }),
    ...(!isViewer && { network: addressKey(request) }),
  };
}

function objectOf({ params }: FastifyRequest): string | undefined {
  const parts = Object.values((params ?? {}) as Record<string, string>);
  return parts.length === 0 ? undefined : cut(parts.join('/'));
}

/** The names of what was sent, and the values that the route allows. */
function detailOf({ body, routeOptions }: FastifyRequest): string | undefined {
  if (typeof body !== 'object' || body === null || Object.getPrototypeOf(body) !== Object.prototype)
    return undefined;
  const shown = routeOptions.config.audit === false ? [] : (routeOptions.config.audit?.values ?? []);
  const fields = Object.entries(body).map(([name, value]) =>
    shown.includes(name) ? `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}` : name,
  );
  return redactText(fields.join(' ')).toWellFormed().slice(0, detailLengthMax);
}

function cut(text: string): string {
  return redactText(text).toWellFormed().slice(0, lengthMax) || '-';
}
