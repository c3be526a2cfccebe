import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { documentTypes, type Keyset } from '../../../common/contract/documents.ts';
import type { EncodeJob } from '../../../common/contract/titles.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { makeEnrolmentCode, verifyEnrolRequest } from '../../../common/runtime/enrolment-code.ts';
import { generateKey, importPublicJwk, thumbprint } from '../../../common/runtime/keys.ts';
import { createProofVerifier, type KnownNode } from '../../../common/runtime/node-proofs.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import { EnrolRequest } from '../../../common/contract/credentials.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

/** What was asked of the jobs' interface. */
export interface JobCall {
  /** `progress`, `complete`, `fail`. */
  verb: string;
  jobId: string;
  body: Record<string, unknown>;
}

/** A peer that enrols one encoder, checks its proofs and hands out the jobs that a test gives it. */
export interface EncoderControl {
  url: string;
  code: string;
  calls: readonly JobCall[];
  give(job: Pick<EncodeJob, 'sourceKey' | 'sizeBytes'>): void;
  /** The first call of these verbs, made already or to come. */
  called(...verbs: string[]): Promise<JobCall>;
  close(): Promise<void>;
}

const clock = createSystemClock();
const chance = createSystemChance();
const hourMs = 3_600_000;

/** Starts it on a free port. */
export async function startEncoderControl(): Promise<EncoderControl> {
  const root = generateKey();
  const { code } = makeEnrolmentCode(root.kid, chance);
  const nowMs = clock.nowMs();
  const body: Keyset = { keys: [] };
  const times = { issuedAtMs: nowMs, notAfterMs: nowMs + hourMs };
  const keyset = await signDocument(
    documentTypes.keyset,
    { audience: '*', sequence: 1, body, ...times },
    root,
  );
  const nodes = new Map<string, KnownNode>();
  const verify = createProofVerifier({ audience: 'control-plane', clock, findNode: (kid) => nodes.get(kid) });
  const calls: JobCall[] = [];
  const changed = new EventTarget();
  const change = (): void => {
    changed.dispatchEvent(new Event('change'));
  };
  let job: EncodeJob | undefined;

  const enrol = async (value: unknown): Promise<unknown> => {
    const request = parseAs(EnrolRequest, value, { what: 'enrol' });
    await verifyEnrolRequest(request);
    const { publicJwk } = request;
    const node = {
      nodeId: 'encoder-1',
      role: 'encoder',
      publicKey: importPublicJwk(publicJwk),
      revoked: false,
    } as const;
    nodes.set(thumbprint(publicJwk), node);
    return { nodeId: 'encoder-1', role: 'encoder', rootJwk: root.publicJwk, keyset };
  };
  const answer = async (request: IncomingMessage, gone: AbortSignal): Promise<unknown> => {
    const path = request.url ?? '';
    const text = Buffer.concat(await request.toArray()).toString();
    if (path === '/v1/keyset') return keyset;
    if (path === '/v1/enrol') return enrol(JSON.parse(text));
    const proof = request.headers.authorization?.slice('Bearer '.length) ?? '';
    await verify(proof, { method: request.method ?? '', path });
    if (path === '/v1/encode-jobs/lease') {
      if (job === undefined) await once(changed, 'change', { signal: gone });
      const leased = job;
      job = undefined;
      return leased;
    }
    const [, jobId = '', verb = ''] = /^\/v1\/encode-jobs\/(\w+)\/(\w+)$/.exec(path) ?? [];
    calls.push({ verb, jobId, body: JSON.parse(text) as Record<string, unknown> });
    change();
    return undefined;
  };
  const server = createServer((request, response) => {
    // A worker that is gone must not be given a job.
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
    });
    answer(request, gone.signal).then(
      (value) => {
        send(response, value);
      },
      (error: unknown) => {
        response.writeHead(500).end(String(error));
      },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let jobs = 0;
  return {
    url: `http://127.0.0.1:${port}`,
    code,
    calls,
    give(source) {
      jobs++;
      const ids = { jobId: `job_0000000${jobs}`, leaseId: `lease-000${jobs}`, titleId: 'title_00000000' };
      job = { ...ids, leaseMs: 3000, name: 'A film', attempt: 1, ...source };
      change();
    },
    async called(...verbs) {
      for (;;) {
        const call = calls.find(({ verb }) => verbs.includes(verb));
        if (call !== undefined) return call;
        await once(changed, 'change');
      }
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function send(response: ServerResponse, value: unknown): void {
  if (value === undefined) response.writeHead(204).end();
  else if (typeof value === 'string') response.end(value);
  else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
