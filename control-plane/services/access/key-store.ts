import { mkdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { documentTypes, type KeyUse } from '../../../common/contract/documents.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createKeyring, type Keyring } from '../../../common/runtime/keyring.ts';
import {
  generateKey,
  loadKey,
  loadOrCreateKey,
  saveKey,
  thumbprint,
  type SigningKey,
} from '../../../common/runtime/keys.ts';
import { readPrivateFile, writePrivateFile } from '../../../common/runtime/private-file.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import { PublicJwk } from '../../../common/contract/primitives.ts';
import {
  keyLifeMs,
  keyUses,
  needsRenewal,
  newEntry,
  retire,
  signsNow,
  signingEntry,
  type KeyEntry,
} from './key-plan.ts';
import type { AccessRecords, KeysetRecord } from './records.ts';
import { sequenceFloor } from './sequence-floor.ts';

/** The control plane's keys: the root, where it is at hand, and those that it vouches for. */
export interface KeyStore {
  rootJwk: PublicJwk;
  /** For verifying; holds the keyset in force. */
  keyring: Keyring;
  /** The signed keyset in force. */
  keyset(): { sequence: number; jws: string };
  /** Whether every use has a key that signs now. */
  signsNow(): boolean;
  /** The key that signs for this use now. UNAVAILABLE where all have expired, were revoked, or begin later by a clock that was set back. */
  signer(use: KeyUse): SigningKey & { notAfterMs: number };
  /** Every key of this use that is in force, the one that signs now first. */
  signers(use: KeyUse): SigningKey[];
  /** Replaces keys that end soon, where the root is at hand; says whether it did. */
  renew(): Promise<'renewed' | 'not-due' | 'root-offline'>;
  /**
   * Makes a new key of every use, which signs after a while; old keys end when nothing that they signed is valid, those
   * named in `revoke` at once. CONFLICT where the root is offline.
   */
  rotate(revoke?: readonly string[]): Promise<void>;
  /** Signs the keyset in force again, under a higher sequence; says whether the root was at hand for it. */
  signAgain(): Promise<'signed' | 'root-offline'>;
}

export interface KeyStoreOptions {
  /** Directory of the private keys, mode 0700; each file 0600. */
  directory: string;
  records: AccessRecords;
  clock: Clock;
}

const keysetKey = 'keyset';

/**
 * Opens the keys, making root, keyset keys and keyset at the first start. The root's private key (`root.pem`) is needed only to
 * rotate and renew: it may be moved offline, its public half (`root.json`) stays.
 */
export async function openKeyStore(options: KeyStoreOptions): Promise<KeyStore> {
  const { directory, records } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stored = (await records.keyset.get(keysetKey))?.value;
  const rootJwk = await openRoot(directory, stored !== undefined);
  const store = new FileKeyStore(options, rootJwk);
  if (stored === undefined) await store.rotate();
  else await store.adopt(stored);
  return store;
}

async function openRoot(directory: string, exists: boolean): Promise<PublicJwk> {
  const publicPath = join(directory, 'root.json');
  const text = await readPrivateFile(publicPath);
  if (text !== undefined) return parseJsonAs(PublicJwk, text, { what: publicPath, code: 'STORE_CORRUPT' });
  const key = exists
    ? await loadKey(join(directory, 'root.pem'))
    : await loadOrCreateKey(join(directory, 'root.pem'));
  if (key === undefined)
    throw coded('STORE_CORRUPT', `${publicPath} is missing; restore ${directory} from a backup`);
  await writePrivateFile(publicPath, `${JSON.stringify(key.publicJwk)}\n`);
  return key.publicJwk;
}

class FileKeyStore implements KeyStore {
  readonly rootJwk: PublicJwk;
  readonly keyring: Keyring;
  readonly #options: KeyStoreOptions;
  readonly #signers = new Map<string, SigningKey>();
  #record: KeysetRecord | undefined;

  constructor(options: KeyStoreOptions, rootJwk: PublicJwk) {
    this.#options = options;
    this.rootJwk = rootJwk;
    this.keyring = createKeyring({ rootJwk, clock: options.clock });
  }

  keyset(): { sequence: number; jws: string } {
    const { sequence, jws } = this.#held();
    return { sequence, jws };
  }

  signer(use: KeyUse): SigningKey & { notAfterMs: number } {
    const entry = signingEntry(this.#held().keys, use, this.#options.clock.nowMs());
    const key = entry === undefined ? undefined : this.#signers.get(entry.kid);
    if (entry === undefined || key === undefined) {
      throw coded('UNAVAILABLE', this.#whyNone(use));
    }
    return { ...key, notAfterMs: entry.notAfterMs };
  }

  signsNow(): boolean {
    return signsNow(this.#held().keys, this.#options.clock.nowMs());
  }

  #whyNone(use: KeyUse): string {
    const nowMs = this.#options.clock.nowMs();
    const later = this.#held().keys.filter((key) => key.use === use && key.signsFromMs > nowMs);
    if (later.length === 0)
      return `no key for ${use} is in force; run \`nearcast control-plane --rotate-keys\``;
    const fromMs = Math.min(...later.map(({ signsFromMs }) => signsFromMs));
    return (
      `by this machine's clock the keys for ${use} begin only at ${new Date(fromMs).toISOString()}: it was set back; ` +
      `within a minute there are new ones, if ${this.#path('root.pem')} is there`
    );
  }

  signers(use: KeyUse): SigningKey[] {
    const first = this.signer(use).kid;
    const nowMs = this.#options.clock.nowMs();
    const inForce = this.#held().keys.filter(
      (key) => key.use === use && !key.revoked && key.notAfterMs > nowMs && key.kid !== first,
    );
    return [first, ...inForce.map(({ kid }) => kid)].flatMap((kid) => this.#signers.get(kid) ?? []);
  }

  async renew(): Promise<'renewed' | 'not-due' | 'root-offline'> {
    if (!needsRenewal(this.#held().keys, this.#options.clock.nowMs())) return 'not-due';
    if ((await this.#root()) === undefined) return 'root-offline';
    await this.rotate();
    return 'renewed';
  }

  async rotate(revoke: readonly string[] = []): Promise<void> {
    const { clock } = this.#options;
    const root = await this.#root();
    if (root === undefined) {
      throw coded(
        'CONFLICT',
        `the root key is offline; put it back at ${this.#path('root.pem')} and try again`,
      );
    }
    const nowMs = clock.nowMs();
    const known = this.#record?.keys ?? [];
    const unknown = revoke.filter((kid) => !known.some((key) => key.kid === kid));
    if (unknown.length > 0) throw coded('KEY_UNKNOWN', `the keyset has no key ${unknown.join(', ')}`);
    const old = retire(known, nowMs).map((key) =>
      revoke.includes(key.kid) ? { ...key, revoked: true } : key,
    );
    const fresh: KeyEntry[] = [];
    for (const use of keyUses) fresh.push(await this.#makeKey(use, { nowMs, old }));
    await this.#sign([...old, ...fresh], { root, nowMs });
    await this.#dropFiles(known);
  }

  async signAgain(): Promise<'signed' | 'root-offline'> {
    const root = await this.#root();
    if (root === undefined) return 'root-offline';
    await this.#sign([...this.#held().keys], { root, nowMs: this.#options.clock.nowMs() });
    return 'signed';
  }

  /** Takes over what an earlier process stored. */
  async adopt(record: KeysetRecord): Promise<void> {
    await this.keyring.take(record.jws);
    for (const { kid, use } of record.keys) {
      const key = this.#signers.get(kid) ?? (await loadKey(this.#path(fileName(use, kid))));
      if (key !== undefined) this.#signers.set(kid, key);
    }
    this.#record = record;
  }

  async #makeKey(
    use: KeyUse,
    { nowMs, old }: { nowMs: number; old: readonly KeyEntry[] },
  ): Promise<KeyEntry> {
    const key = generateKey();
    await saveKey(this.#path(fileName(use, key.kid)), key);
    this.#signers.set(key.kid, key);
    const first = signingEntry(old, use, nowMs) === undefined;
    return newEntry({ kid: key.kid, use, jwk: key.publicJwk }, { nowMs, first });
  }

  async #sign(keys: KeyEntry[], { root, nowMs }: { root: SigningKey; nowMs: number }): Promise<void> {
    const floor = await sequenceFloor(this.#options.records);
    const sequence = Math.max(this.#record?.sequence ?? 0, floor) + 1;
    const body = { keys: keys.map(({ signsFromMs: _own, ...key }) => key) };
    const payload = { audience: '*', sequence, issuedAtMs: nowMs, notAfterMs: nowMs + keyLifeMs, body };
    const jws = await signDocument(documentTypes.keyset, payload, root);
    const record = { sequence, jws, issuedAtMs: nowMs, keys };
    await this.#options.records.keyset.put(keysetKey, record);
    await this.adopt(record);
  }

  // A private key that no keyset names any more can only be stolen.
  async #dropFiles(before: readonly KeyEntry[]): Promise<void> {
    const kept = new Set(this.#held().keys.map(({ kid }) => kid));
    for (const { use, kid } of before.filter((key) => !kept.has(key.kid))) {
      await unlink(this.#path(fileName(use, kid))).catch(() => undefined);
      this.#signers.delete(kid);
    }
  }

  async #root(): Promise<SigningKey | undefined> {
    const path = this.#path('root.pem');
    const root = await loadKey(path);
    if (root === undefined || root.kid === thumbprint(this.rootJwk)) return root;
    throw coded('CONFLICT', `${path} is not the root key of this control plane`);
  }

  #held(): KeysetRecord {
    if (this.#record === undefined) throw coded('UNAVAILABLE', 'the keys are not open yet');
    return this.#record;
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}

function fileName(use: KeyUse, kid: string): string {
  return `${use}-${kid}.pem`;
}
