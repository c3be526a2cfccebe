import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { Type } from '../../../common/contract/type.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { hashSecret } from '../../../common/runtime/keys.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import type { Seals } from '../seals.ts';
import { createTurns } from '../turns.ts';
import type { Accounts } from './accounts.ts';
import { takesPasskeys } from './core/passkey-site.ts';
import { challengeMs, createChallenges, type Challenges } from './passkey-challenges.ts';
import type { AccountRecord, AuthRecords, PasskeyRecord } from './records.ts';

/** Keys that people's devices hold (WebAuthn), in place of password and code: the device makes sure who uses it. */
export interface Passkeys {
  /** Whether browsers take passkeys for the public URL. */
  arePossible(): boolean;
  list(accountId: string): Promise<PasskeyRecord[]>;
  /** What a browser is asked to make a passkey by: good once, in this session, for five minutes. */
  offer(account: AccountRecord, sessionId: string): Promise<PublicKeyCredentialCreationOptionsJSON>;
  /** Takes what a browser made of it. PASSKEY_FAILED, CONFLICT for one that is there, and for more than 20. */
  add(account: AccountRecord, made: { sessionId: string; name: string; credential: string }): Promise<void>;
  /** What a browser is asked to sign in by: good once, in this sign-in, for five minutes. */
  ask(uid: string): Promise<PublicKeyCredentialRequestOptionsJSON>;
  /** Whose passkey answered. PASSKEY_FAILED, whatever was wrong. */
  check(uid: string, credential: string): Promise<AccountRecord>;
  /** PASSKEY_UNKNOWN, also for another's. */
  remove(accountId: string, id: string): Promise<void>;
  removeAll(accountId: string): Promise<void>;
}

export interface PasskeysOptions {
  records: AuthRecords;
  accounts: Accounts;
  publicUrl: () => string;
  seals: Seals;
  clock: Clock;
  chance: Chance;
}

const passkeysMax = 20;
/** COSE's EdDSA, ES256 and RS256: what devices have. */
const supportedAlgorithmIDs = [-8, -7, -257];

const Base64Url = Type.String({ pattern: '^[A-Za-z0-9_-]{1,2048}$' });
/** As much of what a browser sends as is looked at here; the rest is the library's to check. */
const Credential = Type.Object({ id: Base64Url, response: Type.Unknown() });

interface Context extends PasskeysOptions {
  challenges: Challenges;
}

/** Opens the passkeys. The library is loaded when the first is asked for. */
export function createPasskeys(options: PasskeysOptions): Passkeys {
  const { records, publicUrl } = options;
  const context = { ...options, challenges: createChallenges(options) };
  const inTurn = createTurns();
  return {
    arePossible: () => takesPasskeys(publicUrl()),
    list: (accountId) => list(records, accountId),
    offer: (account, sessionId) => offer(context, account, sessionId),
    add: (account, made) => inTurn(() => add(context, account, made)),
    ask: (uid) => ask(context, uid),
    check: (uid, credential) => inTurn(() => check(context, uid, credential)),
    async remove(accountId, id) {
      const held = (await list(records, accountId)).find((one) => one.id === id);
      if (held === undefined) throw coded('PASSKEY_UNKNOWN', id);
      await drop(records, held);
    },
    async removeAll(accountId) {
      for (const held of await list(records, accountId)) await drop(records, held);
    },
  };
}

function siteOf({ publicUrl }: PasskeysOptions): { rpID: string; origin: string } {
  const { hostname, origin } = new URL(publicUrl());
  return { rpID: hostname, origin };
}

async function list(records: AuthRecords, accountId: string): Promise<PasskeyRecord[]> {
  const keys = (await records.passkeysOf.scan({ prefix: `${accountId}/` })).map(({ key }) => key);
  const held = await Promise.all(keys.map((key) => records.passkeys.get(key.slice(accountId.length + 1))));
  return held.flatMap((entry) => (entry === undefined ? [] : [entry.value]));
}

async function drop(records: AuthRecords, { id, accountId }: PasskeyRecord): Promise<void> {
  await records.all.commit([
    records.passkeys.removeOperation(id),
    records.passkeysOf.removeOperation(`${accountId}/${id}`),
  ]);
}

async function offer(
  context: Context,
  account: AccountRecord,
  sessionId: string,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { generateRegistrationOptions } = await import('@simplewebauthn/server');
  const { rpID } = siteOf(context);
  return generateRegistrationOptions({
    challenge: context.challenges.make(ofSession(sessionId)),
    ...{ rpName: 'Nearcast', rpID, userName: account.email, userDisplayName: account.name },
    ...{ userID: Buffer.from(account.id), timeout: challengeMs, attestationType: 'none' },
    excludeCredentials: (await list(context.records, account.id)).map(({ credentialId }) => ({
      id: credentialId,
    })),
    supportedAlgorithmIDs,
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  });
}

const ofSession = (sessionId: string): string => `add ${sessionId}`;
const ofSignIn = (uid: string): string => `sign in ${uid}`;

async function add(
  context: Context,
  account: AccountRecord,
  { sessionId, name, credential }: { sessionId: string; name: string; credential: string },
): Promise<void> {
  const { records, challenges, clock } = context;
  const { expectedChallenge, use } = expected(challenges, ofSession(sessionId));
  const { rpID, origin } = siteOf(context);
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
  const made = await judged(async () =>
    verifyRegistrationResponse({
      response: parsed(credential) as RegistrationResponseJSON,
      ...{ expectedChallenge, expectedOrigin: origin, expectedRPID: rpID, supportedAlgorithmIDs },
    }),
  );
  if (!made.verified) throw coded('PASSKEY_FAILED');
  use();
  if ((await list(records, account.id)).length >= passkeysMax)
    throw coded('CONFLICT', `you have ${String(passkeysMax)} passkeys; remove one first`);
  const { id: credentialId, publicKey, counter } = made.registrationInfo.credential;
  const id = hashSecret(credentialId);
  if ((await records.passkeys.get(id)) !== undefined) throw coded('CONFLICT', 'this passkey is known');
  const record: PasskeyRecord = {
    ...{ id, accountId: account.id, name, credentialId, counter, createdAtMs: clock.nowMs() },
    publicKey: Buffer.from(publicKey).toString('base64url'),
  };
  await records.all.commit([
    records.passkeys.putOperation(id, record, 0),
    records.passkeysOf.putOperation(`${account.id}/${id}`, {}),
  ]);
}

async function ask(context: Context, uid: string): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await import('@simplewebauthn/server');
  // No list of keys: it would tell who has an account.
  return generateAuthenticationOptions({
    challenge: context.challenges.make(ofSignIn(uid)),
    ...{ rpID: siteOf(context).rpID, timeout: challengeMs, userVerification: 'required' },
  });
}

async function check(context: Context, uid: string, credential: string): Promise<AccountRecord> {
  const { records, accounts, challenges } = context;
  const { expectedChallenge, use } = expected(challenges, ofSignIn(uid));
  const { rpID, origin } = siteOf(context);
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
  return judged(async () => {
    const response = parsed(credential) as AuthenticationResponseJSON;
    const held = (await records.passkeys.get(hashSecret(response.id)))?.value;
    const account = held && (await accounts.find(held.accountId));
    if (held === undefined || account === undefined || account.disabled) throw coded('PASSKEY_FAILED');
    const publicKey = Uint8Array.from(Buffer.from(held.publicKey, 'base64url'));
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      ...{ response, expectedChallenge, expectedOrigin: origin, expectedRPID: rpID },
      // A counter that does not grow is a copy of the key: refused by the library.
      credential: { id: held.credentialId, publicKey, counter: held.counter },
    });
    if (!verified) throw coded('PASSKEY_FAILED');
    use();
    await records.passkeys.put(held.id, { ...held, counter: authenticationInfo.newCounter });
    return account;
  });
}

function parsed(credential: string): unknown {
  return parseJsonAs(Credential, credential, { what: 'the passkey' });
}

/** What went wrong is for nobody outside to know, and the library throws plain errors. */
async function judged<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw coded('PASSKEY_FAILED', { cause });
  }
}

/** Judges the challenge that the library finds in an answer; `use` is for when the rest of the answer is right too. */
function expected(challenges: Challenges, whose: string) {
  let answered = '';
  return {
    expectedChallenge: (challenge: string): boolean => {
      answered = challenge;
      return challenges.isGood(whose, challenge);
    },
    use: () => {
      challenges.use(answered);
    },
  };
}
