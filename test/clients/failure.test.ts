import t from 'tap';

import { explainFailure } from '../../clients/shared/failure.ts';

const problem = (status: number, code: string, words: { title: string; detail?: string }) => ({
  status,
  data: { type: 'about:blank', status, code, ...words },
});
const explain = (error: unknown) => explainFailure(error, { hasToken: true });

t.test('without a token nothing else matters', async (t) => {
  t.match(explainFailure({ status: 404 }, { hasToken: false }), { kind: 'credential', text: /token/ });
});

t.test('a link that does not serve says why', async (t) => {
  for (const [code, text] of [
    ['CREDENTIAL_EXPIRED', /expired/],
    ['CREDENTIAL_INVALID', /not valid/],
    ['FORBIDDEN', /role/],
  ] as const)
    t.match(explain(problem(401, code, { title: 'x' })), { kind: 'credential', text });
});

t.test('what the control plane refuses is told in its words', async (t) => {
  t.match(explain(problem(404, 'TITLE_UNKNOWN', { title: 'No title has this id' })), {
    kind: 'refused',
    text: 'No title has this id.',
  });
  t.match(
    explain(
      problem(503, 'NO_PATHWAY', { title: 'No healthy appliance can serve this', detail: 'all are lost' }),
    ),
    {
      kind: 'unreachable',
      text: 'No healthy appliance can serve this (all are lost).',
    },
  );
});

t.test('a control plane that is gone, slow or something else', async (t) => {
  t.match(explain({ status: 'FETCH_ERROR', error: 'x' }), { kind: 'unreachable', text: /cannot be reached/ });
  t.match(explain({ status: 'TIMEOUT_ERROR' }), { kind: 'unreachable', text: /does not answer/ });
  t.match(explain({ status: 502, data: '<html>' }), { kind: 'unreachable', text: /status 502/ });
  t.match(explain({ status: 418, data: null }), { kind: 'refused', text: /status 418/ });
});
