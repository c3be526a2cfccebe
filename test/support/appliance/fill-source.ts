import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { planRange } from '../../../common/core/http-range.ts';
import type { FillKind } from '../../../common/contract/fill.ts';
import type { FillWay } from '../../../appliance/core/choose-way.ts';
import type { TestFile } from './content.ts';

/** How a source may misbehave when it is asked for content; chunk lists are always given right, but for those that say so. */
export const faults = [
  'lies',
  'lies-about-chunks',
  'stalls',
  'truncates',
  'resets',
  'absent',
  'denies',
  'busy',
  'garbage',
] as const;

type Behaviour = 'good' | (typeof faults)[number];

/** A source of files over real HTTP that can be told to misbehave. */
export interface FillSource {
  behaviour: Behaviour;
  /** Bytes of content that it was asked for. */
  askedBytes: number;
  /** Connections that it has accepted. */
  connections: number;
  /** The ranges of content that it was asked for, `first-last` each. */
  readonly ranges: string[];
  /** Files in the order in which their content was first asked for. */
  readonly asked: string[];
  /** Called before each piece is sent; resolves when it may be. */
  beforeSend: (sentBytes: number) => Promise<void>;
  way(kind?: FillKind, waitMs?: number): FillWay;
}

const pieceBytes = 256 * 1024;

/** Starts a source that holds these files. */
export async function startSource(
  t: { teardown(done: () => Promise<void>): void },
  options: { name: string; files: readonly TestFile[]; behaviour?: Behaviour },
): Promise<FillSource> {
  const byName = new Map(options.files.map((file) => [file.file, file]));
  const server = createServer((request, response) => {
    const match = /^\/v1\/token\/([0-9a-f]{64})\.(\w+)$/.exec(request.url ?? '');
    const file = byName.get(match?.[1] ?? '');
    response.on('error', () => undefined);
    if (file === undefined || source.behaviour === 'absent') response.writeHead(404).end();
    else if (source.behaviour === 'denies') response.writeHead(403).end();
    else if (source.behaviour === 'busy') response.writeHead(429, { 'retry-after': '1' }).end();
    else if (source.behaviour === 'garbage') response.writeHead(200).end('<html>Welcome to the hotel</html>');
    else if (match?.[2] === 'chunks') {
      const wrong = Buffer.from(file.descriptor).fill(1, file.descriptor.length - 4);
      response.end(source.behaviour === 'lies-about-chunks' ? wrong : file.descriptor);
    } else {
      void sendContent(response, { source, file, range: request.headers.range });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  server.on('connection', () => source.connections++);
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/token/`;
  const source: FillSource = {
    behaviour: options.behaviour ?? 'good',
    askedBytes: 0,
    connections: 0,
    ranges: [],
    asked: [],
    beforeSend: () => Promise.resolve(),
    way: (kind = 'peer', waitMs = 0) => ({ kind, node: options.name, base, waitMs }),
  };
  return source;
}

async function sendContent(
  response: ServerResponse,
  what: { source: FillSource; file: TestFile; range: string | undefined },
): Promise<void> {
  const { source, file } = what;
  const plan = planRange(what.range, file.bytes.length);
  const { start, end } = plan.kind === 'part' ? plan.range : { start: 0, end: file.bytes.length - 1 };
  source.askedBytes += end - start + 1;
  source.ranges.push(`${start}-${end}`);
  if (!source.asked.includes(file.file)) source.asked.push(file.file);
  const bytes = Buffer.from(file.bytes.subarray(start, end + 1));
  if (source.behaviour === 'lies') bytes[bytes.length >> 1]! ^= 1;
  response.writeHead(plan.kind === 'part' ? 206 : 200, {
    'content-length': bytes.length,
    ...(plan.kind === 'part' && { 'content-range': `bytes ${start}-${end}/${file.bytes.length}` }),
  });
  for (let at = 0; at < bytes.length && !response.destroyed; at += pieceBytes) {
    await source.beforeSend(at);
    if (source.behaviour === 'stalls' && at > 0) return;
    if (source.behaviour === 'truncates' && at > 0) {
      response.socket?.end();
      return;
    }
    if (source.behaviour === 'resets' && at > 0) {
      response.socket?.resetAndDestroy();
      return;
    }
    await new Promise<void>((resolve) => {
      response.write(bytes.subarray(at, at + pieceBytes), () => {
        resolve();
      });
    });
  }
  response.end();
}
