import t from 'tap';

import { pathwayOf, refusalText, steeringText } from '../../clients/viewer/pathways.ts';

const pathway = (id: string, url: string) => ({
  ...{ id, url, site: 'isp-a', cluster: 'isp-a' },
  role: 'appliance' as const,
});
const session = {
  pathways: [pathway('isp-a-1', 'http://127.0.1.1:8080'), pathway('isp-a-2', 'http://127.0.1.1:8081/base')],
};

t.test('a pathway is known by scheme, host and port', async (t) => {
  t.equal(pathwayOf(session, 'http://127.0.1.1:8080/v1/token/file.mp4'), 'isp-a-1');
  t.equal(pathwayOf(session, 'http://127.0.1.1:8081/base/v1/token/file.mp4'), 'isp-a-2');
  t.equal(pathwayOf(session, 'https://127.0.1.1:8080/v1/token/file.mp4'), '127.0.1.1:8080');
  t.equal(pathwayOf(session, 'http://elsewhere/file.mp4'), 'elsewhere');
  t.equal(pathwayOf(session, ''), 'an unknown host');
});

t.test('a steering reply is shown; anything else is none', async (t) => {
  t.equal(
    steeringText({ VERSION: 1, TTL: 300, 'PATHWAY-PRIORITY': ['b', 'a'] }),
    'steering says b › a, again in 300 s',
  );
  t.equal(steeringText({ VERSION: 1, 'PATHWAY-PRIORITY': ['b'] }), 'steering says b');
  for (const reply of [
    null,
    undefined,
    'text',
    7,
    {},
    { VERSION: 2, 'PATHWAY-PRIORITY': ['a'] },
    { VERSION: 1 },
  ])
    t.equal(steeringText(reply), undefined, JSON.stringify(reply));
});

t.test('a refusal in words', async (t) => {
  t.equal(refusalText(0), 'no connection');
  t.equal(refusalText(429), 'sheds load (429)');
  t.equal(refusalText(500), 'status 500');
});
