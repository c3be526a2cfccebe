import type { Test } from 'tap';
import { TitleSearchReply } from '../../../common/contract/search.ts';
import { addTitle } from './add-title.ts';
import { enrolNode, startPlane, temporaryDir, type TestPlane } from './control-plane.ts';
import { until } from './until.ts';

/** What a control plane finds, asked by the operator unless another token is given. */
export async function found(plane: TestPlane, query: string, token?: string) {
  const reply = await plane.call(`GET /v1/search/titles?${query}`, token === undefined ? {} : { token });
  return reply.as(TitleSearchReply);
}

/** Titles of a whole control plane, found as what they are now by those who may see them, whatever engine its flags name. */
export async function titlesFoundSuite(t: Test, flags: readonly string[]): Promise<void> {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags: ['--ingest-roots', dataDir, ...flags] });
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const { id } = await addTitle(plane, encoder, {
    name: 'Interstellar – Director’s Cut',
    details: {
      people: [{ name: 'Anne Hathaway', role: 'actor' }],
      genres: ['Science fiction'],
      synopsis: 'Through a wormhole.',
      translations: [{ language: 'ru', name: 'Межзвёздный' }],
    },
  });
  const viewer = await plane.call('POST /v1/access-tokens', {
    body: { role: 'viewer', sub: 'one', ttlS: 600 },
  });
  const token = (viewer.json as { token: string }).token;

  const live = (q: string) =>
    until(
      () => found(plane, q),
      ({ states }) => states['live'] === 1,
    );
  const operators = await live('q=intersteler');
  t.match(operators, { hits: [{ id, typos: 2, highlights: [[0, 12]] }], total: 1, states: { live: 1 } });
  const viewers = await found(plane, 'q=direc&typing=true', token);
  t.match(viewers, { hits: [{ id, highlights: [[15, 25]] }], total: 1 });
  t.strictSame(viewers.states, {}, 'counts are for operators');
  for (const q of ['hathaway', 'science%20fiction', 'wormhole', encodeURIComponent('межзвёздный')])
    t.match(await found(plane, `q=${q}`, token), { hits: [{ id, highlights: [] }] }, q);
  t.match(await found(plane, 'q=director&state=failed'), { hits: [], total: 0 });

  await plane.call(`PATCH /v1/titles/${id}`, { body: { name: 'Solaris' } });
  const renamed = await until(
    () => found(plane, 'q=solaris'),
    ({ hits }) => hits.length > 0,
  );
  t.match(renamed.hits, [{ id, name: 'Solaris' }]);
  t.strictSame((await found(plane, 'q=interstellar')).hits, [], 'not by its old name');

  await plane.call(`POST /v1/titles/${id}/withdraw`, {});
  await until(
    () => found(plane, 'q=solaris'),
    ({ states }) => states['withdrawn'] === 1,
  );
  t.strictSame((await found(plane, 'q=solaris', token)).hits, [], 'viewers do not find what was withdrawn');
  t.match(await plane.call('GET /v1/search/titles?q=a&limit=1000'), {
    status: 400,
    json: { code: 'INVALID' },
  });
  t.match(await plane.call('GET /v1/search/titles?q=a', { token: '' }), { status: 401 });
}
