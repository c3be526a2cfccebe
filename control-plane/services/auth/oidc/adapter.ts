import type { RecordOperation } from '../../../../common/adapters/records/port.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { isCoded } from '../../../../common/runtime/errors.ts';
import { hashSecret } from '../../../../common/runtime/keys.ts';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Accounts } from '../accounts.ts';
import { extendChain, judgeRefresh } from '../core/refresh-chain.ts';
import type { AuthRecords, OidcRecord } from '../records.ts';
import type { Clients } from './clients.ts';
import { isOfPresentPassword } from './password-epoch.ts';

export interface OidcStoreOptions {
  records: AuthRecords;
  accounts: Pick<Accounts, 'find'>;
  clients: Clients;
  clock: Clock;
  /** Hears of a code that was redeemed already and came again: it was in two hands (RFC 6749 §4.1.2). */
  onCodeReuse: (accountId: string) => void;
}

/** What the provider of OAuth keeps. */
export interface OidcStore {
  /** The provider's view of one kind of things. */
  adapter(model: string): Adapter;
  /** Removes what has ended; @returns how much. */
  prune(): Promise<number>;
  /** Removes everything: whoever was signed in has to sign in again. */
  clear(): Promise<void>;
  /** Removes a thing and, of a grant, everything that came of it. @returns whether it was there. */
  remove(key: string): Promise<boolean>;
  /** Removes all that mentions an account, what is under way too. Reads everything that is kept. */
  removeMentioning(accountId: string): Promise<void>;
}

const pruneAtOnce = 500;
// Without an end of its own: no such thing is kept longer.
const lifeMsMax = 400 * 86_400_000;

/** The key of a thing: its kind and the hash of its id, which is a secret for most kinds. */
export function oidcKey(model: string, id: string): string {
  return `${model}/${hashSecret(id)}`;
}

/** Keeps the provider's things in our records; each look-up is by key, or by the beginning of a key of an index. */
export function createOidcStore(options: OidcStoreOptions): OidcStore {
  const store = new RecordsStore(options);
  return {
    adapter: (model) =>
      model === 'Client' ? clientAdapter(options) : new ModelAdapter(model, store, options),
    remove: (key) => store.remove(key),
    removeMentioning: (accountId) => store.removeMentioning(accountId),
    prune: () => store.prune(),
    clear: () => store.clear(),
  };
}

class RecordsStore {
  readonly #records: AuthRecords;
  readonly #clock: Clock;

  constructor({ records, clock }: OidcStoreOptions) {
    this.#records = records;
    this.#clock = clock;
  }

  async find(key: string): Promise<OidcRecord | undefined> {
    const value = (await this.#records.oidc.get(key))?.value;
    return value !== undefined && value.expiresAtMs > this.#clock.nowMs() ? value : undefined;
  }

  /** Puts a thing with its entries in the indexes, in one commit with other changes. */
  async put(key: string, value: OidcRecord, alongside: readonly RecordOperation[]): Promise<void> {
    const records = this.#records;
    const before = (await records.oidc.get(key))?.value;
    await records.all.commit([
      ...(before === undefined ? [] : removal(records, key, before)),
      records.oidc.putOperation(key, value),
      ...indexes(key, value).map(({ collection, at }) => records[collection].putOperation(at, {})),
      ...namesOf(value).map((name) => records.oidcNames.putOperation(name, { key })),
      ...alongside,
    ]);
  }

  async removeAll(keys: readonly string[]): Promise<void> {
    const operations: RecordOperation[] = [];
    for (const key of keys) {
      const held = (await this.#records.oidc.get(key))?.value;
      if (held !== undefined) operations.push(...removal(this.#records, key, held));
    }
    await this.#records.all.commit(operations);
  }

  /** What came of a grant, of one kind or of all. */
  async keysOfGrant(grant: string, model = ''): Promise<string[]> {
    const prefix = `${grant}/`;
    const found = await this.#records.oidcOfGrant.scan({ prefix: prefix + (model && `${model}/`) });
    return found.map(({ key }) => key.slice(prefix.length));
  }

  async remove(key: string): Promise<boolean> {
    if ((await this.#records.oidc.get(key)) === undefined) return false;
    const grant = key.startsWith('Grant/') ? key.slice('Grant/'.length) : undefined;
    await this.removeAll([key, ...(grant === undefined ? [] : await this.keysOfGrant(grant))]);
    if (grant !== undefined) await this.#records.refreshChains.remove(grant);
    return true;
  }

  async clear(): Promise<void> {
    const { oidc, refreshChains, all } = this.#records;
    for (let page = await oidc.scan({ limit: pruneAtOnce }); page.length > 0;) {
      await this.removeAll(page.map(({ key }) => key));
      page = await oidc.scan({ limit: pruneAtOnce });
    }
    for (let page = await refreshChains.scan(); page.length > 0; page = await refreshChains.scan())
      await all.commit(page.map(({ key }) => refreshChains.removeOperation(key)));
  }

  async removeMentioning(accountId: string): Promise<void> {
    for await (const { key, value } of this.#records.oidc.all())
      if (JSON.stringify(value).includes(accountId)) await this.remove(key);
  }

  async prune(): Promise<number> {
    const { oidcEnds, all } = this.#records;
    const nowMs = this.#clock.nowMs();
    const first = await oidcEnds.scan({ limit: pruneAtOnce });
    const due = first.filter(({ key }) => Number(key.split('/', 1)[0]) <= nowMs);
    await all.commit(due.map(({ key }) => oidcEnds.removeOperation(key)));
    for (const { key } of due) {
      const ended = key.slice(key.indexOf('/') + 1);
      // What was put again meanwhile ends later, under another entry.
      if ((await this.find(ended)) === undefined) await this.remove(ended);
    }
    return due.length;
  }
}

class ModelAdapter implements Adapter {
  readonly #model: string;
  readonly #store: RecordsStore;
  readonly #records: AuthRecords;
  readonly #accounts: OidcStoreOptions['accounts'];
  readonly #clock: Clock;
  readonly #codeReused: (accountId: string) => void;

  constructor(model: string, store: RecordsStore, options: OidcStoreOptions) {
    const { records, accounts, clock, onCodeReuse } = options;
    this.#model = model;
    this.#store = store;
    this.#records = records;
    this.#accounts = accounts;
    this.#clock = clock;
    this.#codeReused = onCodeReuse;
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const held = await this.#good(this.#key(id));
    if (held === undefined) return undefined;
    const payload: AdapterPayload = { ...held.payload, jti: id };
    if (this.#model === 'AuthorizationCode' && payload.consumed !== undefined) this.#onReuse(payload);
    return this.#model === 'RefreshToken' ? this.#withReuse(payload) : payload;
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#named('uid', uid);
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#named('code', userCode);
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const lifeMs = expiresIn === undefined ? lifeMsMax : Math.min(expiresIn * 1000, lifeMsMax);
    const expiresAtMs = this.#clock.nowMs() + lifeMs;
    const value = { expiresAtMs, payload: storedPayload(this.#model, payload) };
    const chain = this.#model === 'RefreshToken' ? [await this.#extendedChain(payload)] : [];
    await this.#store.put(this.#key(id), value, chain);
  }

  async consume(id: string): Promise<void> {
    // A chain of refresh tokens says which of them were used.
    if (this.#model === 'RefreshToken') return;
    const held = await this.#records.oidc.get(this.#key(id));
    if (held === undefined) return;
    const { payload } = held.value;
    if (payload['consumed'] !== undefined) {
      await this.#refuseConsumed(payload);
      return;
    }
    const consumed = Math.floor(this.#clock.nowMs() / 1000);
    const value = { ...held.value, payload: { ...payload, consumed } };
    try {
      await this.#records.oidc.put(this.#key(id), value, held.version);
    } catch (error) {
      if (!isCoded(error, 'RECORDS_CONFLICT')) throw error;
      await this.#refuseConsumed(payload);
    }
  }

  /** The provider looked before another call consumed it: of two calls that meet one gets nothing, and ends what the other got. */
  async #refuseConsumed(payload: AdapterPayload): Promise<void> {
    this.#onReuse(payload);
    const { grantId } = payload;
    if (grantId !== undefined) await this.#store.remove(oidcKey('Grant', grantId));
    const { errors } = await import('oidc-provider');
    throw new errors.InvalidGrant('it was consumed already');
  }

  #onReuse({ accountId }: AdapterPayload): void {
    if (accountId !== undefined) this.#codeReused(accountId);
  }

  async destroy(id: string): Promise<void> {
    await this.#store.remove(this.#key(id));
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#store.removeAll(await this.#store.keysOfGrant(hashSecret(grantId), this.#model));
  }

  #key(id: string): string {
    return oidcKey(this.#model, id);
  }

  async #named(kind: string, name: string): Promise<AdapterPayload | undefined> {
    const entry = await this.#records.oidcNames.get(`${kind}/${hashSecret(name)}`);
    return entry && (await this.#good(entry.value.key))?.payload;
  }

  /** What is kept and not of an earlier password: that ends with it, whether or not it could be removed. */
  async #good(key: string): Promise<OidcRecord | undefined> {
    const held = await this.#store.find(key);
    const accountId = endWithPassword.has(this.#model) ? held?.payload['accountId'] : undefined;
    const account = typeof accountId === 'string' ? await this.#accounts.find(accountId) : undefined;
    return held === undefined || account === undefined || isOfPresentPassword(held.payload, account)
      ? held
      : undefined;
  }

  async #withReuse(payload: AdapterPayload): Promise<AdapterPayload> {
    const { grantId = '' } = payload;
    const chain = (await this.#records.refreshChains.get(hashSecret(grantId)))?.value;
    const nowMs = this.#clock.nowMs();
    if (judgeRefresh(chain, { number: numberOf(payload), nowMs }) === 'good') return payload;
    return { ...payload, consumed: Math.floor(nowMs / 1000) };
  }

  async #extendedChain(payload: AdapterPayload): Promise<RecordOperation> {
    const { refreshChains } = this.#records;
    const key = hashSecret(payload.grantId ?? '');
    const before = (await refreshChains.get(key))?.value;
    const last = { number: numberOf(payload), nowMs: this.#clock.nowMs() };
    return refreshChains.putOperation(key, extendChain(before, last));
  }
}

// Codes and tokens are of a grant and go with it.
const endWithPassword = new Set(['Session', 'Grant']);

/** Which of its chain a refresh token is. */
function numberOf({ rotations }: AdapterPayload): number {
  return typeof rotations === 'number' ? rotations : 0;
}

// Whoever holds these ids is let in. A device's code is found by what is typed in, and then changed under its id, so it has to stay.
const secretIds = new Set(['AuthorizationCode', 'RefreshToken', 'Session']);

function storedPayload(model: string, payload: AdapterPayload): OidcRecord['payload'] {
  const { jti, ...rest } = payload;
  return secretIds.has(model) ? rest : { ...rest, jti };
}

type IndexName = 'oidcOfGrant' | 'oidcOfAccount' | 'oidcEnds';

/** Where else a thing is entered. */
function indexes(key: string, { expiresAtMs, payload }: OidcRecord): { collection: IndexName; at: string }[] {
  const { grantId, accountId } = payload as AdapterPayload;
  const isSession = key.startsWith('Grant/') || key.startsWith('Session/');
  return [
    { collection: 'oidcEnds', at: `${String(expiresAtMs).padStart(16, '0')}/${key}` },
    ...(grantId === undefined
      ? []
      : [{ collection: 'oidcOfGrant' as const, at: `${hashSecret(grantId)}/${key}` }]),
    ...(accountId === undefined || !isSession
      ? []
      : [{ collection: 'oidcOfAccount' as const, at: `${accountId}/${key}` }]),
  ];
}

function namesOf({ payload }: OidcRecord): string[] {
  const { uid, userCode } = payload as AdapterPayload;
  return [
    ...(uid === undefined ? [] : [`uid/${hashSecret(uid)}`]),
    ...(userCode === undefined ? [] : [`code/${hashSecret(userCode)}`]),
  ];
}

function removal(records: AuthRecords, key: string, held: OidcRecord): RecordOperation[] {
  return [
    records.oidc.removeOperation(key),
    ...indexes(key, held).map(({ collection, at }) => records[collection].removeOperation(at)),
    ...namesOf(held).map((name) => records.oidcNames.removeOperation(name)),
  ];
}

/** Clients are ours: what is registered is read, and nothing is written through the provider. */
function clientAdapter({ clients }: OidcStoreOptions): Adapter {
  const nothing = () => Promise.resolve(undefined);
  return {
    find: (id) => clients.metadata(id),
    ...{ findByUid: nothing, findByUserCode: nothing, upsert: nothing, consume: nothing },
    ...{ destroy: nothing, revokeByGrantId: nothing },
  };
}
