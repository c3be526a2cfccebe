import fc from 'fast-check';
import t from 'tap';
import { request } from 'undici';

import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { enrolNode, startPlane, type TestNode, type TestPlane } from '../support/control-plane.ts';
import { arbitraryOf, type JsonSchema } from '../../support/schema-arbitrary.ts';

const Parameter = Type.Object({
  name: Type.String(),
  in: Type.String(),
  schema: Type.Unsafe<JsonSchema>({}),
});
const Body = Type.Object({
  content: Type.Record(Type.String(), Type.Object({ schema: Type.Optional(Type.Unsafe<JsonSchema>({})) })),
});
const Operation = Type.Object({
  parameters: Type.Optional(Type.Array(Parameter)),
  requestBody: Type.Optional(Body),
});
type Operation = Static<typeof Operation>;
const OpenApi = Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)) });

const runs = Number(process.env['NEARCAST_FUZZ_RUNS'] ?? 12);
// Nothing is limited: every request is to reach its route.
const unlimited = ['address', 'browse', 'playback', 'sign-in', 'background'].flatMap((kind) => [
  `--gateway-${kind}-per-second`,
  '100000',
]);

interface Shot {
  /** The path with its query. */
  readonly path: string;
  readonly body: string | Uint8Array | undefined;
  readonly contentType: string;
  readonly caller: Caller;
}

const callers = ['operator', 'viewer', 'appliance', 'origin', 'steering', 'encoder', 'none', 'junk'] as const;
type Caller = (typeof callers)[number];
type Credentials = (caller: Caller, route: `${string} /${string}`) => Promise<string | undefined>;

async function makeCredentials(plane: TestPlane): Promise<Credentials> {
  const asked = await plane.call('POST /v1/access-tokens', {
    body: { role: 'viewer', sub: 'v', ttlS: 3600 },
  });
  const viewer = asked.as(AccessTokenReply).token;
  const roles = ['appliance', 'origin', 'steering', 'encoder'] as const;
  const nodes = new Map<Caller, TestNode>();
  for (const role of roles) nodes.set(role, await enrolNode(plane, `the-${role}`, { role }));
  return async (caller, route) => {
    switch (caller) {
      case 'operator':
        return plane.operator;
      case 'viewer':
        return viewer;
      case 'junk':
        return 'a.b.c';
      case 'none':
        return undefined;
      default:
        return await nodes.get(caller)?.proof(route);
    }
  };
}

/** Texts for a place in a path or query: what may be known, what fits the schema, and anything. */
function textOf(schema: JsonSchema): fc.Arbitrary<string> {
  const known = fc.constantFrom('the-appliance', 'the-steering', 'isp-a', 'x', '0', '..', '%', '\0', '{}');
  const fitting = arbitraryOf(schema).map((value) =>
    typeof value === 'string' ? value : JSON.stringify(value),
  );
  return fc.oneof(known, fitting, fitting, fc.string({ maxLength: 40, unit: 'binary' }));
}

function shotAt(pattern: string, { parameters = [], requestBody }: Operation): fc.Arbitrary<Shot> {
  const parts = Object.fromEntries(
    parameters.map(({ name, schema }) => [name, name === 'waitMs' ? fc.constant('0') : textOf(schema)]),
  );
  const [contentType = 'application/json', media] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const fitting = arbitraryOf(media?.schema ?? {}).map((value) => JSON.stringify(value));
  const body = fc.oneof(
    { weight: 4, arbitrary: fitting },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  );
  return fc
    .record({
      values: fc.record(parts),
      omit: fc.boolean(),
      body: requestBody === undefined ? fc.constant(undefined) : body,
      // Who may do the most is asked for the most.
      caller: fc.oneof(
        { weight: 1, arbitrary: fc.constant<Caller>('operator') },
        { weight: 2, arbitrary: fc.constantFrom(...callers) },
      ),
    })
    .map(({ values, omit, body: sent, caller }) => {
      const of = (name: string): string => encodeURIComponent(values[name] ?? 'x');
      const path = pattern.replaceAll(/\{(\w+)\}/g, (_all, name: string) => of(name));
      const query = parameters
        .filter((one) => one.in === 'query' && !(omit && one.name !== 'waitMs'))
        .map(({ name }) => `${encodeURIComponent(name)}=${of(name)}`);
      return {
        path: query.length === 0 ? path : `${path}?${query.join('&')}`,
        body: sent,
        contentType,
        caller,
      };
    });
}

/** Nobody waits for long. */
function hurried(body: Shot['body']): Shot['body'] {
  return typeof body === 'string' ? body.replaceAll(/"waitMs":\d+/g, '"waitMs":0') : body;
}

t.test('no request to any route is answered with a 5xx', async (t) => {
  const plane = await startPlane(t, { flags: unlimited });
  const credentials = await makeCredentials(plane);
  const described = await plane.call('GET /openapi.json', { token: '' });
  const { paths } = parseAs(OpenApi, described.json, { what: 'the description' });
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  t.ok(operations.length > 40, String(operations.length));
  let done = 0;
  for (const { path, method, operation } of operations) {
    await fc.assert(
      fc.asyncProperty(shotAt(path, operation), async (shot) => {
        const bare = (shot.path.split('?', 1)[0] ?? '') as `/${string}`;
        const token = await credentials(shot.caller, `${method} ${bare}`);
        const body = hurried(shot.body);
        const reply = await request(plane.url + shot.path, {
          method: method as 'GET',
          headers: {
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
            ...(body !== undefined && { 'content-type': shot.contentType }),
          },
          ...(body !== undefined && { body }),
        });
        const text = await reply.body.text();
        if (reply.statusCode < 300) done++;
        if (reply.statusCode >= 500) throw new Error(`${reply.statusCode}: ${text.slice(0, 300)}`);
      }),
      { numRuns: runs },
    );
    t.pass(`${method} ${path}`);
  }
  t.ok(done > 20, `${done} requests were right, so that more than refusals is tried`);
});
