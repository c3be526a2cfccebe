import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { EnrolReply } from '../contract/credentials.ts';
import type { NodeRole } from '../contract/primitives.ts';
import { readHeader } from './access-tokens.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { createControlClient, type ControlClient } from './control-client.ts';
import { makeEnrolRequest, parseEnrolmentCode } from './enrolment-code.ts';
import { assert, coded, isCoded, toCoded } from './errors.ts';
import { readIdentity, writeIdentity, type StoredIdentity } from './identity-file.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { exportPrivateKey, importPrivateKey, loadOrCreateKey, thumbprint, type SigningKey } from './keys.ts';
import type { Component } from './lifecycle.ts';
import type { Log } from './log.ts';
import { signNodeProof, type ProofAudience } from './node-proofs.ts';

export interface IdentityOptions {
  /** The data directory; the identity is its identity.json. */
  dataDir: string;
  /** What this process is: an identity or code of another role is refused. */
  role: NodeRole;
  controlUrl: string;
  /** Enrolment code; needed once, ignored when the node is enrolled. */
  code?: string | undefined;
  /** For how long to wait for a control plane that cannot be reached when enrolling. Default 30 s. */
  enrolWaitMs?: number;
  clock: Clock;
  chance: Chance;
  log: Log;
  signal?: AbortSignal;
}

/** A node as the control plane knows it: who it is, its key, and the keys that it trusts. */
export interface Identity {
  nodeId: string;
  role: NodeRole;
  site: string | undefined;
  cluster: string | undefined;
  key: SigningKey;
  /** The keys in force. Its sequence changes when a refresh has brought others. */
  keyring: Keyring;
  /** The authorization header of one call, for a control client. */
  authorize(audience: ProofAudience): (method: string, path: string) => Promise<string>;
  /** A client of the control plane that calls as this node. */
  control: ControlClient;
  /** Fetches the keyset and stores a newer one. @returns whether it was newer. */
  refreshKeyset(signal?: AbortSignal): Promise<boolean>;
}

const ENROL_WAIT_MS = 30_000;
const ENROL_RETRY_MS = 500;
const KEYSET_EVERY_MS = 30_000;

/**
 * Opens the node's identity, enrolling with the code where there is none yet. Needs no control plane once enrolled.
 *
 * @throws CONFIG_INVALID (no identity and no code, another role), ENROLMENT_CODE_INVALID, _USED, _EXPIRED, NAME_TAKEN,
 * WRONG_CONTROL_PLANE, CONTROL_UNREACHABLE, STORE_CORRUPT.
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const path = join(options.dataDir, 'identity.json');
  const held = await readIdentity(path);
  if (held !== undefined) return openStored(options, path, held);
  const { code, role, dataDir } = options;
  if (code === undefined) {
    throw coded(
      'CONFIG_INVALID',
      `${dataDir} holds no identity; make an enrolment code for a node of role ${role} on the control plane and pass it once`,
    );
  }
  const enrolled = await enrol(options, code);
  await writeIdentity(path, enrolled);
  await unlink(pendingKeyPath(dataDir)).catch(() => undefined);
  options.log.info({ nodeId: enrolled.nodeId, role: enrolled.role }, 'enrolled');
  return openStored(options, path, enrolled);
}

async function openStored(options: IdentityOptions, path: string, stored: StoredIdentity): Promise<Identity> {
  const { clock, chance, log, role, controlUrl } = options;
  if (stored.role !== role) {
    throw coded(
      'CONFIG_INVALID',
      `${path} is of a node of role ${stored.role}, but this is ${role}; use another data directory`,
    );
  }
  const key = importPrivateKey(stored.privateKey, path);
  const keyring = createKeyring({ rootJwk: stored.rootJwk, clock });
  try {
    await keyring.take(stored.keyset);
  } catch (error) {
    // Not fatal: the control plane has a newer one, if the node can reach it.
    log.warn({ err: error }, 'the stored keyset cannot be used until it is refreshed');
  }
  const { nodeId } = stored;
  const authorize = (audience: ProofAudience) => async (method: string, callPath: string) =>
    `Bearer ${await signNodeProof({ nodeId, audience, method, path: callPath }, { key, clock, chance })}`;
  const control = createControlClient({
    url: controlUrl,
    clock,
    chance,
    authorize: authorize('control-plane'),
  });
  const refreshKeyset = async (signal?: AbortSignal): Promise<boolean> => {
    const { value } = await control.text({ method: 'GET', path: '/v1/keyset', signal });
    if (value === keyring.signed()) return false;
    const newer = await keyring.take(value);
    if (newer) await writeIdentity(path, { ...stored, keyset: value });
    return newer;
  };
  return {
    nodeId,
    role,
    site: stored.site,
    cluster: stored.cluster,
    key,
    keyring,
    authorize,
    control,
    refreshKeyset,
  };
}

function pendingKeyPath(dataDir: string): string {
  return join(dataDir, 'identity.pending.key');
}

async function enrol(options: IdentityOptions, code: string): Promise<StoredIdentity> {
  const { secret, rootKid } = parseEnrolmentCode(code);
  // Kept before it is sent: when the reply is lost, the same key may use the same code again.
  const key = await loadOrCreateKey(pendingKeyPath(options.dataDir));
  const reply = await sendEnrol(options, await makeEnrolRequest(secret, key));
  if (thumbprint(reply.rootJwk) !== rootKid) {
    throw coded(
      'WRONG_CONTROL_PLANE',
      `the code was made by another than ${options.controlUrl}; check its URL`,
    );
  }
  if (reply.role !== options.role) {
    throw coded(
      'CONFIG_INVALID',
      `the code is for a node of role ${reply.role}, but this is ${options.role}`,
    );
  }
  await createKeyring({ rootJwk: reply.rootJwk, clock: options.clock }).take(reply.keyset);
  return { version: 1, ...reply, privateKey: exportPrivateKey(key) };
}

/** A control plane that another root vouches for is not even shown the secret. */
async function checkRoot(
  client: ControlClient,
  { controlUrl, code, signal }: IdentityOptions,
): Promise<void> {
  const { value } = await client.text({ method: 'GET', path: '/v1/keyset', signal });
  if (readHeader(value).kid !== parseEnrolmentCode(code ?? '').rootKid) {
    throw coded('WRONG_CONTROL_PLANE', `the code was made by another than ${controlUrl}; check its URL`);
  }
}

async function sendEnrol(options: IdentityOptions, body: unknown): Promise<EnrolReply> {
  const { controlUrl, clock, chance, signal, log } = options;
  const client = createControlClient({ url: controlUrl, clock, chance });
  const endMs = clock.monotonicMs() + (options.enrolWaitMs ?? ENROL_WAIT_MS);
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        await checkRoot(client, options);
        const call = { method: 'POST', path: '/v1/enrol', body, signal } as const;
        const { value } = await client.json(call, EnrolReply);
        assert(value !== undefined, 'an enrolment is answered with a body');
        return value;
      } catch (error) {
        if (!isCoded(error, 'CONTROL_UNREACHABLE') || clock.monotonicMs() >= endMs) throw error;
        if (attempt === 0) log.warn({ err: error }, 'waiting for the control plane to enrol');
        await clock.sleep(ENROL_RETRY_MS * (0.5 + chance.fraction()), { signal });
      }
    }
  } finally {
    await client.close();
  }
}

/** Keeps a node's keyset fresh while the process lives, and closes its client at the end. */
export function identityComponent(
  identity: Identity,
  options: { clock: Clock; chance: Chance; log: Log; everyMs?: number; onChange?: () => void },
): Component {
  const { clock, chance, log, onChange } = options;
  const everyMs = options.everyMs ?? KEYSET_EVERY_MS;
  let done: Promise<void> | undefined;
  const refresh = async (signal: AbortSignal): Promise<void> => {
    let failing = false;
    while (!signal.aborted) {
      try {
        if (await identity.refreshKeyset(signal)) {
          log.info({ sequence: identity.keyring.sequence() }, 'keyset refreshed');
          onChange?.();
        }
        failing = false;
      } catch (error) {
        // Once per outage: the keyset held goes on working.
        if (!failing && !isCoded(error, 'ABORTED'))
          log.warn({ code: toCoded(error).code, err: error }, 'the keyset cannot be refreshed');
        failing = true;
      }
      await clock.sleep(everyMs * (0.75 + chance.fraction() / 2), { signal }).catch(() => undefined);
    }
  };
  return {
    name: 'identity',
    start: ({ signal, crash }) => {
      done = refresh(signal).catch(crash);
    },
    stop: async () => {
      await identity.control.close();
      await done;
    },
  };
}
