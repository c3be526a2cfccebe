import type { AdapterPayload } from 'oidc-provider';
import type { OauthClientRequest, OauthClientView } from '../../../../common/contract/accounts.ts';
import { cliClientId } from '../../../../common/contract/accounts.ts';
import { consoleClientId } from '../../../../common/contract/oauth-clients.ts';
import type { Chance } from '../../../../common/runtime/chance.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { coded, valueOf } from '../../../../common/runtime/errors.ts';
import { checkRedirectUri } from '../core/redirect-uri.ts';
import type { AuthRecords } from '../records.ts';

/** The programs that may sign people in. */
export interface Clients {
  /** INVALID for an address that people may not be sent to, CONFLICT when there are too many. */
  add(request: OauthClientRequest): Promise<OauthClientView>;
  list(): Promise<OauthClientView[]>;
  /** CLIENT_UNKNOWN. */
  remove(id: string): Promise<void>;
  /** What the provider of OAuth has to know of a client; undefined where there is none. */
  metadata(id: string): Promise<AdapterPayload | undefined>;
}

/** The client with which the account pages sign in; nothing is ever issued to it. */
export const pagesClientId = 'nearcast-pages';
export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

const clientsMax = 1000;
const publicClient = { token_endpoint_auth_method: 'none', application_type: 'native' } as const;

export interface ClientsOptions {
  records: AuthRecords;
  /** Below it are the account pages and the console. */
  publicUrl: () => string;
  clock: Clock;
  chance: Chance;
}

/** Opens the clients: our own, and those that an admin has added. */
export function createClients({ records, publicUrl, clock, chance }: ClientsOptions): Clients {
  const own: Readonly<Record<string, () => AdapterPayload>> = {
    [cliClientId]: () => ({
      ...publicClient,
      client_id: cliClientId,
      client_name: 'Nearcast on the command line',
      redirect_uris: [],
      response_types: [],
      grant_types: [deviceGrant, 'refresh_token'],
    }),
    [pagesClientId]: () => ({
      client_id: pagesClientId,
      client_name: 'Nearcast account',
      token_endpoint_auth_method: 'none',
      application_type: publicUrl().startsWith('https:') ? 'web' : 'native',
      redirect_uris: [`${publicUrl()}/account`],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }),
    [consoleClientId]: () => ({
      client_id: consoleClientId,
      client_name: 'Nearcast console',
      token_endpoint_auth_method: 'none',
      // Of a native one the provider would ask for consent each time, and the page could not renew in silence.
      application_type: 'web',
      redirect_uris: [`${publicUrl()}/console/`],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }),
  };
  return {
    async add({ name, redirectUris = [], device = false }) {
      for (const uri of redirectUris) valueOf(checkRedirectUri(uri));
      if (redirectUris.length === 0 && !device)
        throw coded('INVALID', 'redirectUris: name at least one, or let the client show codes (device)');
      if ((await records.clients.scan({ limit: clientsMax })).length >= clientsMax)
        throw coded('CONFLICT', `there are ${String(clientsMax)} clients; remove one first`);
      const id = `cl_${chance.bytes(12).toString('base64url')}`;
      const client = { id, name, redirectUris, device, createdAtMs: clock.nowMs() };
      await records.clients.put(id, client, 0);
      return client;
    },
    async list() {
      return (await records.clients.scan()).map(({ value }) => value);
    },
    async remove(id) {
      if (!(await records.clients.remove(id))) throw coded('CLIENT_UNKNOWN', id);
    },
    async metadata(id) {
      if (Object.hasOwn(own, id)) return own[id]?.();
      // Whatever was sent: a key of records has bounds.
      const client = /^cl_[\w-]{16}$/.test(id) ? (await records.clients.get(id))?.value : undefined;
      if (client === undefined) return undefined;
      const { name, redirectUris, device } = client;
      const hasCode = redirectUris.length > 0;
      return {
        ...publicClient,
        client_id: id,
        client_name: name,
        redirect_uris: redirectUris,
        response_types: hasCode ? ['code'] : [],
        grant_types: [
          ...(hasCode ? ['authorization_code'] : []),
          ...(device ? [deviceGrant] : []),
          'refresh_token',
        ],
      };
    },
  };
}
