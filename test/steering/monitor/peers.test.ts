import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { documentTypes } from '../../../common/contract/documents.ts';
import { peerViewBytesMax, type PeerView } from '../../../common/contract/health.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createControlClient } from '../../../common/runtime/control-client.ts';
import { generateKey, type SigningKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import { createPeers } from '../../../steering/monitor/peers.ts';
import { until } from '../../support/steering-process.ts';

const clock = createSystemClock();
const chance = createSystemChance();

/** A peer that answers each poll with what a test puts there. */
async function startPeer(t: Test): Promise<{ url: string; answer: (text: string | number) => void }> {
  let answer: string | number = 204;
  const server = createServer((_request, response) => {
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.writeHead(200, { 'content-type': 'application/jose' }).end(answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (text) => {
      answer = text;
    },
  };
}

function sign(
  key: SigningKey,
  body: Partial<PeerView>,
  more: { sequence?: number; issuedAtMs?: number; audience?: string; typ?: 'peerView' | 'steeringMap' } = {},
): Promise<string> {
  const { sequence = 100, issuedAtMs = clock.nowMs(), audience = 'steering', typ = 'peerView' } = more;
  const view = { node: 'steering-2', isolated: false, mapSequence: 1, votes: [], ...body };
  const document = { audience, sequence, issuedAtMs, notAfterMs: issuedAtMs + 60_000, body: view };
  return signDocument(documentTypes[typ], document, key);
}

t.test('a view counts when its node signed it, lately, and only while it goes on coming', async (t) => {
  const key = generateKey();
  const peer = await startPeer(t);
  const refused: string[] = [];
  let changes = 0;
  let laterMs = 0;
  const peers = createPeers({
    ...{ node: 'steering-1', key: generateKey(), log: createSilentLog(), freshMs: 1000 },
    clock: { ...clock, monotonicMs: () => clock.monotonicMs() + laterMs },
    openClient: (url) => createControlClient({ url, clock, chance, unreachable: 'STEERING_UNREACHABLE' }),
    onChange: () => changes++,
    onRefused: (code) => void refused.push(code),
  });
  const end = new AbortController();
  const done = peers.run(end.signal);
  t.teardown(async () => {
    end.abort();
    await done;
  });
  const other = { id: 'steering-1', url: peer.url, key: generateKey().publicJwk };
  const homeless = { id: 'steering-3', key: generateKey().publicJwk };
  const nonsense = { id: 'steering-4', url: 'http://[', key: generateKey().publicJwk };
  peers.follow([other, { id: 'steering-2', url: peer.url, key: key.publicJwk }, homeless, nonsense]);
  t.match(
    peers.status(),
    [{ id: 'steering-2', fresh: false, why: /not answered/ }],
    'itself and who is nowhere left out',
  );

  const votes: PeerView['votes'] = [{ id: 'a', v4: 'down', why: 'dead' }];
  const bad: [string, string | Promise<string>][] = [
    ['KEY_UNKNOWN', sign(generateKey(), { votes })],
    ['SIGNATURE_INVALID', (await sign(key, { votes })).replace(/\.[^.]{8}([^.]*)$/, '.AAAAAAAA$1')],
    ['SIGNATURE_INVALID', 'hello'],
    ['SIGNATURE_INVALID', sign(key, { votes }, { typ: 'steeringMap' })],
    ['SIGNATURE_INVALID', sign(key, { votes: [{ id: 'a', v4: 'dead' as 'down' }] })],
    [
      'SIGNATURE_INVALID',
      sign(key, { votes: Array.from({ length: 10_001 }, (_, at) => ({ id: `n${at}` })) }),
    ],
    ['DOCUMENT_FOREIGN', sign(key, { votes, node: 'steering-3' })],
    ['DOCUMENT_FOREIGN', sign(key, { votes }, { audience: 'isp-a-1' })],
    ['DOCUMENT_EXPIRED', sign(key, { votes }, { issuedAtMs: clock.nowMs() - 61_000 })],
  ];
  for (const [code, text] of bad) {
    refused.length = 0;
    peer.answer(await text);
    await until(code, async () => refused.includes(code));
    t.strictSame(peers.fresh(), [], code);
  }
  peer.answer('x'.repeat(peerViewBytesMax + 1));
  await until('the size', async () => peers.status()[0]?.why?.includes('larger than') === true);
  t.strictSame(peers.fresh(), []);

  peer.answer(await sign(key, { votes }));
  await until('a good one', async () => peers.fresh().length === 1);
  t.match(peers.fresh(), [{ node: 'steering-2', votes }]);
  t.match(peers.status(), [{ fresh: true, why: undefined }]);
  refused.length = 0;
  peer.answer(await sign(key, { votes: [] }, { sequence: 99 }));
  await until('an older one', async () => refused.includes('DOCUMENT_STALE'));
  await until('its silence', async () => peers.fresh().length === 0);
  peer.answer(await sign(key, { votes: [] }, { sequence: 101 }));
  await until('a newer one', async () => peers.fresh().length === 1);
  peer.answer(await sign(key, { votes }, { sequence: 50 }));
  await until('the silence of one that was put right', async () => peers.fresh().length === 0);
  laterMs = 61_000;
  await until('one that counts from further back, once nothing older is in time', async () => {
    return peers.fresh().length === 1;
  });
  const before = changes;
  peer.answer(500);
  await until('its loss', async () => peers.fresh().length === 0);
  t.ok(changes > before, 'whoever asks is told');
  peers.follow([]);
  t.strictSame([peers.status(), peers.fresh()], [[], []]);
});
