import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import t from 'tap';

import { openSearch, type OpenSearchOptions } from '../../../../common/adapters/search/open.ts';
import type { Search, SearchDocument } from '../../../../common/adapters/search/port.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { searchConformance } from '../../../conformance/search.ts';
import { makeCertificate } from '../../../support/certificates.ts';
import { startOpenSearch } from '../../../support/opensearch-server.ts';
import { startSearchFront } from '../../../support/search-front.ts';

t.setTimeout(180_000);
const clock = createSystemClock();
const film = (id: string, title: string): SearchDocument => ({
  ...{ id, texts: { title: [title] }, popularity: 0, facets: { state: ['live'], 'a.b*': ['c'] } },
});

t.test('URLs and logins that cannot be meant', async (t) => {
  const password = 'secret-password';
  for (const [url, more] of [
    ['http://127.0.0.1:9200', {}],
    ['http://127.0.0.1:9200/Films', {}],
    ['http://127.0.0.1:9200/films?x', {}],
    ['https://user:secret-password@host/films', { password }],
    ['https://user@host/films', {}],
    ['https://host/films', { password }],
    ['https://us%3Aer@host/films', { password }],
    ['http://user@search.example/films', { password }],
  ] as const)
    await t.rejects(openSearch(url, { clock, ...more }), { code: 'CONFIG_INVALID' }, url);
  await (await openSearch('http://user@127.0.0.1:9200/films', { clock, password })).close();
});

const server = await startOpenSearch();
if (typeof server === 'string') {
  t.pass(`skipped: ${server}`, { skip: server });
} else {
  const { url, stop } = server;
  const run = `nearcast-test-${randomBytes(4).toString('hex')}`;
  let indices = 0;
  const newName = (): string => `${run}-${indices++}`;
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers };
    return await (await fetch(`${url}${path}`, { method, ...sent })).json();
  };
  t.teardown(async () => {
    await ask('DELETE', `/${run}-*`);
    await stop();
  });
  const open = async (
    t: { teardown(done: () => Promise<void>): void },
    at: string,
    more: Partial<OpenSearchOptions> = {},
  ): Promise<Search> => {
    const search = await openSearch(at, { clock, ...more });
    t.teardown(() => search.close());
    return search;
  };
  const found = async (search: Search, text: string): Promise<string[]> =>
    (await search.query({ text })).hits.map(({ id }) => id);

  t.test('conformance: OpenSearch', (t) => {
    searchConformance(t, () => openSearch(`${url}/${newName()}`, { clock }));
    t.end();
  });

  t.test('over TLS with a login, by an authority of its own; none of it is told to anybody', async (t) => {
    const certificate = await makeCertificate(t.testdir(), { file: 'search', hosts: ['127.0.0.1'] });
    const { cert, key } = certificate;
    const [password, user] = ['Pä55:word', 'nearcast@films'];
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const front = await startSearchFront(t, { to: url, authorization, cert, key });
    const at = `https://${encodeURIComponent(user)}@127.0.0.1:${front.port}/${newName()}`;
    const search = await open(t, at, { ca: cert, password });
    await search.put([film('up', 'Up')]);
    t.strictSame(await found(search, 'up'), ['up']);

    const refused = await open(t, at, { ca: cert, password: 'wrong-Pä55' }).then((other) =>
      other.query({ text: 'up' }).catch((error: unknown) => error),
    );
    t.match(refused, { code: 'STORE_DENIED', detail: /--search-password-file/ });
    const stranger = await open(t, at, { password }).then((other) =>
      other.query({ text: 'up' }).catch((error: unknown) => error),
    );
    t.match(stranger, { code: 'STORE_UNAVAILABLE', detail: /DEPTH_ZERO_SELF_SIGNED_CERT/ });
    for (const error of [refused, stranger])
      t.notMatch(inspect(error, { depth: 20, showHidden: true }), /Pä55|Basic|films@|nearcast@/);
  });

  t.test('a server that has too much to do is asked again; what it cannot do has a code', async (t) => {
    const { cert, key } = await makeCertificate(t.testdir(), { file: 'search', hosts: ['127.0.0.1'] });
    const authorization = `Basic ${Buffer.from('films:pass').toString('base64')}`;
    const front = await startSearchFront(t, { to: url, authorization, cert, key });
    const at = `https://films@127.0.0.1:${front.port}/${newName()}`;
    const slept: number[] = [];
    const sleep = async (ms: number): Promise<void> => {
      slept.push(ms);
    };
    const search = await open(t, at, { ca: cert, password: 'pass', clock: { ...clock, sleep } });
    let refusals = 0;
    front.fault = (call, body) => {
      if (!call.includes('_bulk') || refusals > 1) return undefined;
      if (refusals++ === 0) return { status: 503, json: { error: { type: 'not_now' } } };
      const items = [...body.matchAll(/"_id":"(\w+)"/g)].map(([, _id]) => ({
        index: { _id, status: 429, error: { type: 'rejected_execution_exception' } },
      }));
      return { status: 200, json: { errors: true, items } };
    };
    await search.put([film('up', 'Up'), film('down', 'Down')]);
    t.equal(refusals, 2);
    t.strictSame(slept, [100, 200], 'a little later, also where only documents were refused');
    t.strictSame(await found(search, 'down'), ['down']);
    const before = front.calls.length;
    await search.put([film('up', 'Up'), film('down', 'Down')]);
    t.notOk(
      front.calls.slice(before).some(({ call }) => call.includes('_bulk')),
      'what is as it was is not written',
    );

    const type = 'cluster_block_exception';
    const reason =
      'index [films] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]';
    front.fault = (call) =>
      call.includes('_bulk') ? { status: 429, json: { error: { type, reason } } } : undefined;
    await t.rejects(search.put([film('up', 'Up!')]), { code: 'DISK_FULL' });
    const items = [{ index: { _id: 'up', status: 201 } }];
    front.fault = (call) =>
      call.includes('_bulk') ? { status: 200, json: { errors: false, items } } : undefined;
    await t.rejects(search.put([film('up', 'Up!'), film('down', 'Down!')]), {
      code: 'STORE_UNAVAILABLE',
      detail: /what became of 1 /,
    });
    front.fault = () => ({ status: 500, json: { error: { type: 'broken', reason: 'a shard is gone' } } });
    await t.rejects(search.query({ text: 'up' }), {
      code: 'STORE_UNAVAILABLE',
      detail: /broken: a shard is gone/,
    });
    front.fault = () => ({ status: 200, json: { timed_out: true, hits: { total: { value: 0 }, hits: [] } } });
    await t.rejects(search.query({ text: 'up' }), { code: 'STORE_UNAVAILABLE', detail: /in time/ });
  });

  t.test('requests that write are of bounded size', async (t) => {
    const { cert, key } = await makeCertificate(t.testdir(), { file: 'search', hosts: ['127.0.0.1'] });
    const authorization = `Basic ${Buffer.from('films:pass').toString('base64')}`;
    const front = await startSearchFront(t, { to: url, authorization, cert, key });
    const at = `https://films@127.0.0.1:${front.port}/${newName()}`;
    const search = await open(t, at, { ca: cert, password: 'pass' });
    const long = (id: string): SearchDocument => ({
      ...film(id, 'Long'),
      texts: { title: ['Long'], description: ['word '.repeat(19_000)] },
    });
    const documents = [
      ...Array.from({ length: 1100 }, (_, at) => film(`f${at}`, `Film ${at}`)),
      ...Array.from({ length: 120 }, (_, at) => long(`l${at}`)),
    ];
    await search.put(documents);
    t.equal(await search.count(), documents.length);
    const writes = front.calls.filter(({ call }) => call.includes('_bulk'));
    t.ok(writes.length >= 4 && writes.every(({ bytes }) => bytes < 9 * 2 ** 20), `${writes.length} requests`);
    await search.remove(documents.map(({ id }) => id));
    t.equal(await search.count(), 0);
  });

  t.test('an index that is lost is told of, made anew, and whole when its owner says so', async (t) => {
    const name = newName();
    const search = await open(t, `${url}/${name}`);
    t.equal(await search.isWhole(), false, 'new');
    await search.put([film('up', 'Up')]);
    await search.settle();
    t.equal(await search.isWhole(), true);
    t.equal(await (await open(t, `${url}/${name}`)).isWhole(), true, 'for others too');
    await ask('DELETE', `/${name}-v1`);
    await t.rejects(search.query({ text: 'up' }), { code: 'STORE_UNAVAILABLE', detail: /made anew/ });
    t.equal(await search.isWhole(), false);
    t.strictSame(await found(search, 'up'), []);
    await search.put([film('up', 'Up')]);
    t.strictSame(await found(search, 'up'), ['up'], 'what was put before is not taken for there');
    await ask('DELETE', `/${name}-v1`);
    await search.put([film('up', 'Up')]);
    t.strictSame(await found(search, 'up'), ['up']);
    const { [`${name}-v1`]: index } = (await ask('GET', `/${name}-v1/_mapping`)) as Record<
      string,
      { mappings: { dynamic: string } }
    >;
    t.equal(index?.mappings.dynamic, 'false', 'never with a mapping that was guessed');
  });

  t.test('an index of an older version answers until the new one is whole', async (t) => {
    const name = newName();
    const old = { body: JSON.stringify(film('old', 'Up before')), title: 'up before', weight: 1, id: 'old' };
    const mappings = { properties: { id: { type: 'keyword' }, whole: { type: 'keyword' } } };
    for (const version of [-1, 0])
      await ask('PUT', `/${name}-v${version}`, { mappings, aliases: version === 0 ? { [name]: {} } : {} });
    await ask('PUT', `/${name}-v0/_doc/old?refresh=true`, old);
    const search = await open(t, `${url}/${name}`);
    await search.put([film('up', 'Up')]);
    t.strictSame(await found(search, 'up'), ['old']);
    await search.settle();
    t.strictSame(await found(search, 'up'), ['up']);
    const alias = (await ask('GET', `/_alias/${name}`)) as object;
    t.strictSame(Object.keys(alias), [`${name}-v1`]);
    const kept = (await ask('GET', `/${name}-v*/_alias`)) as object;
    t.strictSame(
      Object.keys(kept).sort(),
      [`${name}-v0`, `${name}-v1`],
      'the one before stays for a way back',
    );
  });

  t.test('facets whose names mean something to the server', async (t) => {
    const search = await open(t, `${url}/${newName()}`);
    await search.put([film('up', 'Up')]);
    const { facets, total } = await search.query({
      ...{ text: 'up', facets: ['a.b*', '*', ''], filters: { 'a.b*': ['c'] } },
    });
    t.strictSame(facets, { 'a.b*': { c: 1 }, '*': {}, '': {} });
    t.equal(total, 1);
    t.equal((await search.query({ text: 'up', filters: { '*': ['c'] } })).total, 0);
  });
}
