import type {
  EnrolmentCodeReply,
  EnrolmentCodeRequest,
  EnrolReply,
  EnrolRequest,
} from '../../../common/contract/credentials.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { makeEnrolmentCode, verifyEnrolRequest } from '../../../common/runtime/enrolment-code.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import { hashSecret, secretsEqual, thumbprint } from '../../../common/runtime/keys.ts';
import type { Identities } from './identities.ts';
import type { KeyStore } from './key-store.ts';
import type { AccessRecords, CodeRecord, IdentityRecord } from './records.ts';

const codeLifeMs = 24 * 3_600_000;
// A code past its end is kept for a while, so that its user hears that it has expired and not that it is unknown.
const codeKeptMs = 7 * 24 * 3_600_000;
const codesMax = 10_000;

export interface EnrolmentOptions {
  records: AccessRecords;
  identities: Identities;
  keys: KeyStore;
  clock: Clock;
  chance: Chance;
}

/** How a node joins: with a code that an operator made, once, within 24 h. */
export interface Enrolment {
  createCode(request: EnrolmentCodeRequest): Promise<EnrolmentCodeReply>;
  /**
   * Enrols the holder of a code and a key. The same key with the same code again gets the same answer: its first reply may
   * have been lost. ENROLMENT_CODE_INVALID, ENROLMENT_CODE_EXPIRED, ENROLMENT_CODE_USED, CREDENTIAL_INVALID, NAME_TAKEN.
   */
  enrol(request: EnrolRequest): Promise<EnrolReply>;
}

/** Makes the enrolment. */
export function createEnrolment(options: EnrolmentOptions): Enrolment {
  const { records, keys, clock, chance } = options;

  return {
    async createCode({ role, name, site, cluster }) {
      await pruneCodes(options);
      const holder = options.identities.get(name);
      if (holder !== undefined && holder.revokedAtMs === undefined) {
        throw coded(
          'NAME_TAKEN',
          `${name} has joined already; \`nearcast node revoke ${name}\` frees the name`,
        );
      }
      const nowMs = clock.nowMs();
      const { code, secretHash } = makeEnrolmentCode(keys.keyring.rootKid, chance);
      const place = { site: site ?? 'main', cluster: cluster ?? site ?? 'main' };
      const expiresAtMs = nowMs + codeLifeMs;
      await records.codes.put(
        secretHash,
        { secretHash, role, name, ...place, createdAtMs: nowMs, expiresAtMs },
        0,
      );
      return { code, expiresAtMs };
    },
    async enrol(request) {
      const found = await findCode(records, request.secret);
      const kid = thumbprint(request.publicJwk);
      checkCode(found.value, { kid, nowMs: clock.nowMs() });
      await verifyEnrolRequest(request);
      const { role, name, site, cluster } = found.value;
      if (found.value.used === undefined) {
        const nowMs = clock.nowMs();
        const identity = {
          id: name,
          role,
          site,
          cluster,
          publicJwk: request.publicJwk,
          kid,
          enrolledAtMs: nowMs,
        };
        await addOnce(identity, { options, found, nowMs });
      }
      const place = role === 'appliance' || role === 'origin' ? { site, cluster } : {};
      return { nodeId: name, role, ...place, rootJwk: keys.rootJwk, keyset: keys.keyset().jws };
    },
  };
}

interface FoundCode {
  version: number;
  value: CodeRecord;
}

async function findCode(records: AccessRecords, secret: string): Promise<FoundCode> {
  const secretHash = hashSecret(secret);
  // The lookup is by hash, of which a caller cannot steer the bytes; the compare is constant-time all the same.
  const found = await records.codes.get(secretHash);
  if (found === undefined || !secretsEqual(found.value.secretHash, secretHash)) {
    throw coded(
      'ENROLMENT_CODE_INVALID',
      'make one with `nearcast node enrol` or `nearcast appliance enrol` and copy all of it',
    );
  }
  return found;
}

function checkCode(code: CodeRecord, { kid, nowMs }: { kid: string; nowMs: number }): void {
  if (code.used !== undefined && code.used.kid !== kid) {
    throw coded('ENROLMENT_CODE_USED', `it enrolled ${code.name}; make a new one for another node`);
  }
  if (nowMs >= code.expiresAtMs) throw coded('ENROLMENT_CODE_EXPIRED', `it was for ${code.name}`);
}

async function addOnce(
  identity: IdentityRecord,
  { options, found, nowMs }: { options: EnrolmentOptions; found: FoundCode; nowMs: number },
): Promise<void> {
  const { records, identities } = options;
  const used = { ...found.value, used: { atMs: nowMs, kid: identity.kid } };
  // The version makes two enrolments with one code at the same time one.
  const mark = records.codes.putOperation(used.secretHash, used, found.version);
  try {
    await identities.add(identity, [mark]);
  } catch (cause) {
    if (!isCoded(cause, 'RECORDS_CONFLICT') && !isCoded(cause, 'NAME_TAKEN')) throw cause;
    // Whoever was first with this code took the name too: what the later one has to hear is about the code.
    const now = await records.codes.get(used.secretHash);
    if (now?.value.used === undefined) throw cause;
    checkCode(now.value, { kid: identity.kid, nowMs });
  }
}

async function pruneCodes({ records, clock }: EnrolmentOptions): Promise<void> {
  const nowMs = clock.nowMs();
  let count = 0;
  for await (const { key, value } of records.codes.all()) {
    if (value.expiresAtMs + codeKeptMs < nowMs) await records.codes.remove(key);
    else count++;
  }
  if (count >= codesMax) throw coded('RATE_LIMITED', `${String(codesMax)} codes are out; use those first`);
}
