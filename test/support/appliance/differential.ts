import { join } from 'node:path';
import fc from 'fast-check';
import type { Test } from 'tap';

import { chunkSizeBytes } from '../../../common/core/chunk-tree.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { makeCertificate } from '../certificates.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from './content.ts';
import { converse, withoutTimes, type Heard } from './conversation.ts';
import { conversations, fillIn, type ConversationTemplate, type Targets } from './requests.ts';
import { temporaryDirectory, testDisk, testEngine, type EngineKind } from './serving-box.ts';

type Teardown = Pick<Test, 'teardown'>;

/** One side of the comparison. */
export interface Side {
  readonly kind: EngineKind;
  readonly box: Awaited<ReturnType<typeof testEngine>>;
  /** Its tokens by name (`tokenNames`). */
  readonly tokens: Readonly<Record<string, string>>;
}

/** Both engines over the same files, and what may be asked of them. */
export interface Pair {
  readonly sides: readonly [Side, Side];
  readonly targets: Targets;
  readonly secure: boolean;
}

const session = 'ab'.repeat(16);

/** Which engines, and whether by HTTPS. */
export interface PairOptions {
  readonly secure?: boolean;
  readonly kinds?: readonly [EngineKind, EngineKind];
}

/** Starts two engines that serve the same disk. */
export async function startPair(
  t: Teardown,
  { secure = false, kinds = ['node', 'native'] }: PairOptions = {},
): Promise<Pair> {
  const directory = await temporaryDirectory(t);
  const { disk } = await testDisk(join(directory, 'disk'));
  t.teardown(() => disk.close());
  const film = testFile(seededBytes(chunkSizeBytes + 200_000, 1));
  const sound = testFile(seededBytes(70_000, 2), 'm4a');
  const tiny = testFile(Buffer.from('#EXTM3U\n'), 'm3u8');
  const empty = testFile(Buffer.alloc(0), 'vtt');
  const foreign = testFile(seededBytes(5000, 3));
  const bundle = testBundle([film, sound, tiny, empty]);
  for (const file of [film, sound, tiny, empty, foreign, bundle]) await putFile(disk, file);
  const unknown = 'f'.repeat(64);
  const held = [film, sound, tiny, empty];
  const targets = {
    files: [
      ...held.map(({ file, ext }) => `${file}.${ext}`),
      `${film.file}.chunks`,
      `${bundle.file}.json`,
      `${foreign.file}.mp4`,
      `${unknown}.mp4`,
      `${film.file}.m4a`,
      `${film.file}.exe`,
      `${film.file.slice(1)}.mp4`,
      `${film.file.toUpperCase()}.mp4`,
    ],
    etags: [...held.map(({ file }) => `"${file}"`), `"${film.file}.chunks"`],
    sizes: [film, sound, tiny].map(({ bytes }) => bytes.length),
  };
  const made = secure
    ? await makeCertificate(directory, { file: 'box', hosts: ['box', '127.0.0.1'] })
    : undefined;
  const tls = made && { names: ['box'], chainPem: made.cert, keyPem: made.key };
  const start = async (kind: EngineKind): Promise<Side> => {
    const box = await testEngine(t, { content: disk, kind });
    if (tls !== undefined) box.engine.setTls({ certificates: [tls], h2: false });
    return { kind, box, tokens: tokensFor(box.key, bundle.file) };
  };
  return { sides: [await start(kinds[0]), await start(kinds[1])], targets, secure };
}

function tokensFor(key: Parameters<typeof testToken>[0], bundle: string): Record<string, string> {
  const play = { bundle, session };
  const hourMs = 3_600_000;
  return {
    good: testToken(key, play),
    fill: testToken(key, { scope: 'fill', session }),
    near: testToken(key, { ...play, clients: ['127.0.0.0/8'] }),
    far: testToken(key, { ...play, clients: ['192.0.2.0/24', '2001:db8::/32'] }),
    expired: testToken(key, { ...play, nowMs: Date.now() - 2 * hourMs }),
    foreign: testToken(generateKey(), play),
    steer: testToken(key, { scope: 'steer', session }),
    garbage: 'x'.repeat(300),
    short: 'x',
  };
}

/** What both sides said to one conversation, without what may differ. */
export async function ask({ sides, secure }: Pair, template: ConversationTemplate): Promise<[Heard, Heard]> {
  const hear = async ({ box, tokens }: Side): Promise<Heard> => {
    const { text, ending } = await converse(box.port, fillIn(template, tokens), secure);
    return { text: withoutTimes(text), ending };
  };
  const [first, second] = await Promise.all([hear(sides[0]), hear(sides[1])]);
  return [first, second];
}

/**
 * Holds `count` random conversations with both sides, and throws with the smallest one that is answered differently.
 * Returns how many there were of each status.
 */
export async function compareEngines(
  pair: Pair,
  { seed, count }: { seed: number; count: number },
): Promise<Map<string, number>> {
  const statuses = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(conversations(pair.targets), async (template) => {
      const [first, second] = await ask(pair, template);
      const where = difference(first, second);
      if (where !== undefined) throw new Error(`${JSON.stringify(template)}\n${where}`);
      for (const [, status = ''] of first.text.matchAll(/(?:^|\n?)HTTP\/1\.1 (\d{3}) /g))
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
    { seed, numRuns: count, endOnFailure: false },
  );
  return statuses;
}

const shownBytes = 300;

function difference(first: Heard, second: Heard): string | undefined {
  if (first.ending === 'stuck' || second.ending === 'stuck')
    return `not closed: ${first.ending}, ${second.ending}`;
  if (first.text === second.text) return undefined;
  let at = 0;
  while (first.text[at] === second.text[at]) at++;
  const from = Math.max(0, at - shownBytes / 4);
  const show = ({ text }: Heard): string => JSON.stringify(text.slice(from, at + shownBytes));
  return `from byte ${at}:\n  ${show(first)}\n  ${show(second)}`;
}
