import { chmod } from 'node:fs/promises';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { AccessClaims, AccessTokenReply } from '../../../common/contract/credentials.ts';
import {
  mintDeliveryToken,
  verifyDeliveryToken,
  type DeliveryClaims,
} from '../../../common/core/tokens/delivery-token.ts';
import {
  readHeader,
  signAccessToken,
  verifyAccessToken,
  type AccessGrant,
} from '../../../common/runtime/access-tokens.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { isCoded, valueOf } from '../../../common/runtime/errors.ts';
import type { CredentialVerifiers } from '../../../common/runtime/http-credential.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createProofVerifier } from '../../../common/runtime/node-proofs.ts';
import { readPrivateFile, writePrivateFile } from '../../../common/runtime/private-file.ts';
import { internalScope } from '../../apart/interface.ts';
import { createEnrolment, type Enrolment } from './enrolment.ts';
import { openIdentities, type Identities } from './identities.ts';
import { createDocumentIssuer, type DocumentIssuer } from './issuer.ts';
import { openKeyStore, type KeyStore } from './key-store.ts';
import { openAccessRecords } from './records.ts';
import { liftSequences } from './sequence-floor.ts';

export interface AccessOptions {
  records: Records;
  /** Directory of the private keys. */
  keysDir: string;
  /** File of the operator's token, 0600, written at the first start. */
  operatorTokenFile: string;
  /** When the backup was taken that the records were just restored from; undefined where they were not. */
  restoredFromMs: number | undefined;
  /** File of the token by which services of this control plane know one another; undefined where all run in one process. */
  serviceTokenFile: string | undefined;
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** An access token that is to be made. */
type AccessTokenOrder = AccessGrant & { ttlS: number };

/** Who may do what: keys, enrolment, credentials, signed documents and tokens. */
export interface Access {
  keys: KeyStore;
  identities: Identities;
  enrolment: Enrolment;
  documents: DocumentIssuer;
  /** What holds callers of the routes to their credentials. */
  verifiers: Required<CredentialVerifiers>;
  createAccessToken(request: AccessTokenOrder): Promise<AccessTokenReply>;
  /** Mints a delivery token with the key in force. */
  mintToken(claims: DeliveryClaims): string;
  /** Hears of nodes whose proof was genuine but refused for its times: their clock or ours is off. */
  onClockRefused(listener: (nodeId: string) => void): void;
  /** Replaces keys and the operator's token before they end; for a daily call. */
  renew(): Promise<void>;
  /** Does so where no key signs, since the clock was set back; for a call each minute. */
  mend(): Promise<void>;
}

// A token in a file with less left is replaced at start.
const renewBeforeMs = 30 * 24 * 3_600_000;

/** Opens the access service: makes root, keyset and operator token at the first start. */
export async function createAccess(options: AccessOptions): Promise<Access> {
  const { clock, chance, keysDir } = options;
  const records = openAccessRecords(options.records);
  if (options.restoredFromMs !== undefined)
    await liftSequences(records, { takenAtMs: options.restoredFromMs, clock });
  const keys = await openKeyStore({ directory: keysDir, records, clock });
  if (options.restoredFromMs !== undefined) await signKeysetAgain(keys, options.log);
  const identities = await openIdentities({ records, clock });
  const clockListeners: ((nodeId: string) => void)[] = [];
  const access: Access = {
    keys,
    identities,
    enrolment: createEnrolment({ records, identities, keys, clock, chance }),
    documents: createDocumentIssuer({ records, keys, clock }),
    verifiers: createVerifiers({ options, keys, identities, clockListeners }),
    createAccessToken: (request) => createAccessToken(request, { options, keys }),
    mintToken: (claims) => {
      const { kid, privateKey } = keys.signer('tokens');
      return mintDeliveryToken(claims, { kid, key: privateKey });
    },
    onClockRefused: (listener) => {
      clockListeners.push(listener);
    },
    mend: async () => {
      if (!keys.signsNow()) await access.renew();
    },
    renew: async () => {
      await renewKeys(keys, options.log);
      const { operatorTokenFile, serviceTokenFile } = options;
      await ensureToken(operatorTokenFile, { role: 'admin', sub: 'operator' }, { access, options });
      if (serviceTokenFile === undefined) return;
      const grant = { role: 'service', sub: 'control-plane', scope: internalScope } as const;
      await ensureToken(serviceTokenFile, grant, { access, options });
    },
  };
  await access.renew();
  return access;
}

async function signKeysetAgain(keys: KeyStore, log: Log): Promise<void> {
  if ((await keys.signAgain()) === 'signed') return;
  const toDo =
    'if keys were rotated since, put the root key back and run `nearcast control-plane --rotate-keys`';
  log.warn(`the keyset is that of the backup, which nodes that know a later one refuse; ${toDo}`);
}

async function renewKeys(keys: KeyStore, log: Log): Promise<void> {
  const outcome = await keys.renew();
  if (outcome === 'renewed') log.info({ keyset: keys.keyset().sequence }, 'keys renewed');
  if (outcome === 'root-offline') {
    const why = keys.signsNow() ? 'keys end within 60 days' : 'no key signs';
    log.warn(`${why}; put the root key back and run \`nearcast control-plane --rotate-keys\``);
  }
}

async function createAccessToken(
  { ttlS, ...grant }: AccessTokenOrder,
  { options, keys }: { options: AccessOptions; keys: KeyStore },
): Promise<AccessTokenReply> {
  const { clock, chance } = options;
  const key = keys.signer('access');
  // A token cannot outlive the key that it is verified with.
  const keyLeftS = Math.floor((key.notAfterMs - clock.nowMs()) / 1000);
  return signAccessToken({ ...grant, ttlS: Math.min(ttlS, keyLeftS) }, { key, clock, chance });
}

function createVerifiers({
  options,
  keys,
  identities,
  clockListeners,
}: {
  options: AccessOptions;
  keys: KeyStore;
  identities: Identities;
  clockListeners: readonly ((nodeId: string) => void)[];
}): Required<CredentialVerifiers> {
  const { clock } = options;
  const { keyring } = keys;
  const proofs = createProofVerifier({
    audience: 'control-plane',
    clock,
    findNode: (kid) => identities.findNode(kid),
  });
  return {
    // Whoever takes it asks the session: main.ts wires that.
    access: (token): Promise<AccessClaims> =>
      verifyAccessToken(token, {
        findKey: (kid) => keyring.find(kid, 'access'),
        clock,
        sessionsAreChecked: true,
      }),
    node: async (proof, call) => {
      try {
        return await proofs(proof, call);
      } catch (error) {
        // Both are found only after the signature was.
        const node = isCoded(error, 'CLOCK_SKEW', 'CREDENTIAL_EXPIRED')
          ? identities.findNode(readHeader(proof).kid)
          : undefined;
        if (node !== undefined) for (const tell of clockListeners) tell(node.nodeId);
        throw error;
      }
    },
    delivery: (token) => {
      const findKey = (kid: string) => keyring.find(kid, 'tokens');
      return valueOf(verifyDeliveryToken(token, { findKey, nowMs: clock.nowMs() }), 'the delivery token');
    },
  };
}

async function ensureToken(
  file: string,
  grant: AccessGrant,
  { access, options }: { access: Access; options: AccessOptions },
): Promise<void> {
  const held = (await readPrivateFile(file))?.trim();
  if (held !== undefined && (await isLasting(held, { grant, access, clock: options.clock }))) return;
  const { token } = await access.createAccessToken({ ...grant, ttlS: 400 * 86_400 });
  await writePrivateFile(file, `${token}\n`);
  await chmod(file, 0o600);
  options.log.info({ file }, `the token of ${grant.sub} was written`);
}

async function isLasting(
  token: string,
  { grant, access, clock }: { grant: AccessGrant; access: Access; clock: Clock },
): Promise<boolean> {
  try {
    const { exp, role, scope } = await access.verifiers.access(token);
    // Once other keys sign, the key of this one ends before the token says.
    const isCurrent = readHeader(token).kid === access.keys.signer('access').kid;
    const isSame = role === grant.role && scope === grant.scope;
    return isSame && isCurrent && exp * 1000 - clock.nowMs() > renewBeforeMs;
  } catch (error) {
    if (isCoded(error)) return false;
    throw error;
  }
}
