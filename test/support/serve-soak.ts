import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

import { diskLayout } from '../../appliance/store/disk-layout.ts';
import { makeContent, linkStore, type Content } from '../bench/serve/content.ts';
import {
  compilePrograms,
  holdSlow,
  runLoad,
  type Failure,
  type LoadOptions,
  type Sample,
} from '../bench/serve/programs.ts';
import { processTree, residentBytes } from '../bench/serve/server.ts';
import { startBox, type BoxProcess } from './appliance/box-process.ts';
import { testToken } from './appliance/content.ts';
import { ControlDouble } from './appliance/control-double.ts';
import { makeCertificate } from './certificates.ts';
import type { ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';

/** How much is asked for. */
export interface SoakSize {
  readonly seed: number;
  readonly rounds: number;
  readonly roundSeconds: number;
  readonly slowConnections: number;
  /** Fewer do not prove it. */
  readonly requestsMin: number;
  /** Of memory, from the first quarter of the rounds to the last. */
  readonly driftMax: number;
}

const fileBytes = 4 * 2 ** 20;
const sizes = [4096, 16_384, 65_536, 262_144, 1_048_576];
const victimsMax = 60;
const wrongAnswers: readonly Failure[] = ['head', 'status', 'length', 'bytes', 'surplus'];
/** A worker that is killed takes them along. */
const brokenTransfers: readonly Failure[] = ['connect', 'tls', 'write', 'closed'];

interface Served {
  readonly box: BoxProcess;
  readonly directory: string;
  readonly port: number;
  readonly targets: string;
  readonly pathOf: (file: string) => string;
}

/**
 * Two boxes, HTTP and HTTPS, under mixed load, round after round: clients vanish in mid-body, slow ones crowd in, files are
 * deleted under their readers, certificates are renewed, workers are killed. What is answered is right, and memory is flat.
 */
export async function proveServe(size: SoakSize): Promise<ProofResult> {
  const teardowns: (() => Promise<unknown>)[] = [];
  const t = { teardown: (done: () => Promise<unknown>) => void teardowns.unshift(done) };
  try {
    return await soak(t, size);
  } finally {
    for (const done of teardowns) await done();
  }
}

type Teardown = Parameters<typeof startBox>[0];

async function soak(t: Teardown, size: SoakSize): Promise<ProofResult> {
  const content = await makeContent({ fileBytes, hotCount: 8, coldCount: Math.min(size.rounds, victimsMax) });
  t.teardown(() => content.remove());
  const programs = await compilePrograms(content.directory);
  const plain = await serve(t, content, { secure: false });
  const secure = await serve(t, content, { secure: true });
  const counts = {
    requests: 0,
    wrong: 0,
    broken: 0,
    refused: 0,
    vanished: 0,
    slow: 0,
    deleted: 0,
    renewed: 0,
    killed: 0,
  };
  const random = seededRandom(size.seed);
  const resident: number[] = [];
  const add = (sample: Sample): void => {
    counts.requests += sample.requests;
    const count = (those: readonly Failure[]): number =>
      those.reduce((sum, failure) => sum + sample.failures[failure], 0);
    counts.wrong += count(wrongAnswers);
    counts.broken += count(brokenTransfers);
    counts.refused += sample.failures.refused;
  };
  for (let round = 0; round < size.rounds; round++) {
    const seconds = size.roundSeconds;
    const load = (to: Served, tls: boolean, options: Partial<LoadOptions>): Promise<Sample> =>
      runLoad(programs, {
        ...{ port: to.port, tls, targets: to.targets, seed: size.seed + round, mayRefuse: true },
        ...{ sizeBytes: sizes[pick(random, sizes.length)] ?? 4096, connections: 16, seconds },
        ...options,
      });
    const victim = content.files[8 + round];
    const isFirstThird = round * 3 < size.rounds;
    const samples = [
      load(plain, false, { sizeBytes: 4096, connections: 64 }),
      load(plain, false, { verify: round % 4 === 0 }),
      load(secure, true, {}),
    ];
    const chaos = [
      vanish(plain, content, { seconds, random }).then((count) => (counts.vanished += count)),
      holdSlow(programs, slowOptions(plain, size)).then((slow) => (counts.slow += slow.opened)),
      renew(secure, content).then(() => counts.renewed++),
      // A new process starts small: killing goes on no longer than memory is not yet judged.
      ...(isFirstThird ? [killWorker(secure, random).then(() => counts.killed++)] : []),
      ...(victim?.ext === 'mp4' && round < victimsMax
        ? [deleteUnderReader(plain, content, victim.file).then(() => counts.deleted++)]
        : []),
    ];
    // None may be left behind by the failure of another.
    const over = await Promise.allSettled([...samples.map((sample) => sample.then(add)), ...chaos]);
    for (const each of over) if (each.status === 'rejected') throw each.reason;
    const pids = [...(await processTree(plain.box.pid)), ...(await processTree(secure.box.pid))];
    const each = await Promise.all(pids.map((pid) => residentBytes([pid])));
    resident.push(each.reduce((sum, bytes) => sum + bytes, 0));
    process.stderr.write(
      `${round + 1}/${size.rounds}: ${counts.requests.toLocaleString('en')} requests; MiB by process: ${each.map(mib).join(' ')}\n`,
    );
  }
  return judge(size, counts, resident);
}

function slowOptions(
  { port, targets }: Served,
  { slowConnections, roundSeconds, seed }: SoakSize,
): LoadOptions {
  return {
    port,
    tls: false,
    targets,
    sizeBytes: 4096,
    connections: slowConnections,
    seconds: roundSeconds,
    seed,
  };
}

function judge(size: SoakSize, counts: Record<string, number>, resident: readonly number[]): ProofResult {
  // What comes up in the first third (compiled code, open files, full caches) is no growth.
  const settled = resident.slice(Math.floor(resident.length / 3));
  const quarter = Math.max(1, Math.floor(settled.length / 4));
  const first = median(settled.slice(0, quarter));
  const last = median(settled.slice(-quarter));
  const drift = last / first - 1;
  const { requests = 0, wrong = 0 } = counts;
  return {
    holds: wrong === 0 && requests >= size.requestsMin && drift < size.driftMax,
    lines: [
      `Requests: ${requests.toLocaleString('en')} of ${sizes.join(', ')} bytes, over HTTP and HTTPS; wrong answers: ${wrong}`,
      `Memory of both boxes: ${mib(first)} MiB, in the end ${mib(last)} MiB (${(drift * 100).toFixed(1)} %)`,
      `Memory in MiB, over the time: ${tenths(resident).map(mib).join(', ')}`,
      `Clients that vanished in mid-body: ${counts['vanished']}; slow connections: ${counts['slow']}`,
      `Files deleted under a reader, who got them whole: ${counts['deleted']}; certificates renewed: ${counts['renewed']}`,
      `Workers killed: ${counts['killed']}; transfers that broke with them: ${counts['broken']}; requests refused while the box was busy: ${counts['refused']}`,
    ],
  };
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** The median of each tenth of a series. */
function tenths(values: readonly number[]): number[] {
  const at = (tenth: number): number => Math.floor((tenth * values.length) / 10);
  const parts = Array.from({ length: 10 }, (_, tenth) => values.slice(at(tenth), at(tenth + 1)));
  return parts.filter((part) => part.length > 0).map(median);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function serve(t: Teardown, content: Content, { secure }: { secure: boolean }): Promise<Served> {
  const directory = await content.newDirectory(secure ? 'https' : 'http');
  await linkStore(content, directory);
  const certificate = secure
    ? await makeCertificate(content.directory, { file: 'box', hosts: ['box'] })
    : undefined;
  const control = new ControlDouble();
  await control.start();
  t.teardown(() => control.stop());
  const files = content.files.map((file) => ({ ...file, bundle: content.bundle }));
  await control.setManifest('box', 1, { files });
  const most = '30000';
  const box = await startBox(t, [
    ...['--data-dir', directory, '--control-url', control.url, '--enrolment-code', control.code('box')],
    ...['--port', '0', '--reserve-bytes', '0', '--workers', '2'],
    ...['--connections-max', most, '--connections-per-address-max', most],
    ...(certificate === undefined
      ? []
      : ['--tls-cert-file', certificate.certFile, '--tls-key-file', certificate.keyFile]),
  ]);
  const token = testToken(control.keys.tokens, {
    bundle: content.bundle,
    expiresAtS: Math.floor(Date.now() / 1000) + 80_000,
  });
  const pathOf = (file: string): string => `/v1/${token}/${file}.mp4`;
  const { hot } = await content.writeTargets(directory, pathOf);
  return { box, directory, port: Number(new URL(box.url).port), targets: hot, pathOf };
}

async function ask({ port, pathOf }: Served, file: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`GET ${pathOf(file)} HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n`);
  return socket;
}

/** Clients that ask for a whole file and go away in the middle of it, one way or the other. */
async function vanish(
  served: Served,
  content: Content,
  { seconds, random }: { seconds: number; random: () => number },
): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let count = 0;
  while (performance.now() < endMs) {
    const socket = await ask(served, content.hot[pick(random, content.hot.length)] ?? '');
    socket.on('error', () => undefined);
    await once(socket, 'data');
    await sleep(random() * 20);
    if (random() < 0.5) socket.resetAndDestroy();
    else socket.destroy();
    count++;
  }
  return count;
}

/** A file is deleted while somebody reads it slowly: that one gets every byte all the same. */
async function deleteUnderReader(served: Served, content: Content, file: string): Promise<void> {
  const whole = await readFile(join(content.www, `${file}.mp4`));
  const reader = await ask(served, file);
  const parts: Buffer[] = [];
  await once(reader, 'readable');
  await rm(diskLayout(served.directory).content(file));
  for await (const part of reader as AsyncIterable<Buffer>) {
    parts.push(part);
    await sleep(1);
  }
  const answer = Buffer.concat(parts);
  if (!answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(whole))
    throw new Error('a deleted file was cut');
}

/** A new certificate, in place of the old one, is what new connections get. */
async function renew({ port }: Served, content: Content): Promise<void> {
  const made = await makeCertificate(content.directory, { file: 'renewed', hosts: ['box'] });
  await rename(made.keyFile, join(content.directory, 'box.key'));
  await rename(made.certFile, join(content.directory, 'box.crt'));
  const wanted = new X509Certificate(made.cert).serialNumber;
  const endMs = performance.now() + 30_000;
  for (;;) {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    // A worker that is killed now takes its connections along.
    socket.on('error', () => undefined);
    await Promise.race([once(socket, 'secureConnect').catch(() => undefined), sleep(1000)]);
    // Null where the connection has ended meanwhile.
    const certificate = socket.getPeerCertificate() as { serialNumber?: string } | null;
    const serialNumber = certificate?.serialNumber;
    socket.destroy();
    if (serialNumber === wanted) return;
    if (performance.now() > endMs) throw new Error('a renewed certificate is not served');
    await sleep(100);
  }
}

async function killWorker({ box }: Served, random: () => number): Promise<void> {
  await sleep(500);
  const workers = (await processTree(box.pid)).filter((pid) => pid !== box.pid);
  const victim = workers[pick(random, workers.length)];
  if (victim !== undefined) process.kill(victim, 'SIGKILL');
}
