import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { t } from 'tap';
import { Type } from '../../../common/contract/type.ts';
import { configHelp, loadConfig } from '../../../common/runtime/config.ts';

const schema = Type.Object(
  {
    port: Type.Integer({ minimum: 0, maximum: 65535, default: 7070, description: 'Port to listen on' }),
    dataDir: Type.String(),
    leaseMs: Type.Number({ default: 5000 }),
    cacheBytesMax: Type.Integer({ default: 0 }),
    origin: Type.Boolean({ default: false }),
    roots: Type.Array(Type.String(), { default: [] }),
    level: Type.Union([Type.Literal('info'), Type.Literal('debug')], { default: 'info' }),
    dns: Type.Object({ port: Type.Integer({ default: 53 }), host: Type.String({ default: '127.0.0.1' }) }),
    tls: Type.Optional(Type.Object({ certPath: Type.String(), keyPath: Type.String() })),
  },
  { additionalProperties: false },
);
const prefix = 'NEARCAST_TEST';
const load = (rest: {
  env?: Record<string, string>;
  argv?: string[];
  fileDefault?: string;
  defaults?: object;
}) => loadConfig({ schema, prefix, ...rest, defaults: { dataDir: '/data', ...rest.defaults } });

t.test('defaults < file < environment < flags', (t) => {
  const path = join(t.testdir(), 'config.json');
  writeFileSync(
    path,
    '{\n // annotated\n "port": 1, "leaseMs": "2s", "dns": {"port": 11}, "dataDir": "/file//x" }',
  );
  t.match(load({}), { port: 7070, dataDir: '/data', dns: { port: 53, host: '127.0.0.1' }, tls: undefined });
  t.match(load({ fileDefault: path }), { port: 1, leaseMs: 2000, dataDir: '/file//x', dns: { port: 11 } });
  const env = {
    NEARCAST_TEST_PORT: '2',
    NEARCAST_TEST_DNS_PORT: '12',
    NEARCAST_TEST_CONFIG: path,
    OTHER: 'x',
  };
  t.match(load({ env }), { port: 2, leaseMs: 2000, dns: { port: 12 } });
  t.match(load({ env, argv: ['--port', '3', '--dns-port=13'] }), {
    port: 3,
    leaseMs: 2000,
    dns: { port: 13 },
  });
  t.end();
});

t.test('flags: sizes, durations, booleans, lists', (t) => {
  const argv = [
    '--cache-bytes-max',
    '10GiB',
    '--lease-ms=1.5s',
    '--origin',
    '--roots',
    '/a,/b',
    '--roots=/c',
  ];
  t.match(load({ argv }), {
    cacheBytesMax: 10 * 2 ** 30,
    leaseMs: 1500,
    origin: true,
    roots: ['/a', '/b', '/c'],
  });
  t.equal(load({ argv: ['--no-origin'], env: { NEARCAST_TEST_ORIGIN: 'true' } }).origin, false);
  t.end();
});

t.test('the result is frozen deeply', (t) => {
  const config = load({});
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.dns) && Object.isFrozen(config.roots));
  t.end();
});

t.test('every wrong key is named with its source and the nearest known key', (t) => {
  const path = join(t.testdir(), 'config.json');
  writeFileSync(path, '{"prot": 1, "dns": {"hots": "x"}, "tls": {"certPath": 5}}');
  const env = { NEARCAST_TEST_PORTT: '1', NEARCAST_TEST_LEASE_MS: 'soon' };
  const argv = ['--levle', 'info', '--level', 'loud', '--config', path, 'stray', '--data-dir'];
  let fields: unknown;
  try {
    load({ env, argv });
  } catch (error) {
    t.match(error, { code: 'CONFIG_INVALID' });
    fields = (error as { fields: unknown }).fields;
  }
  const has = (path: string, message: RegExp): void => {
    t.ok(
      (fields as { path: string; message: string }[]).some((f) => f.path === path && message.test(f.message)),
      `${path} ${String(message)}`,
    );
  };
  has(`prot in ${path}`, /did you mean port\?/);
  has(`dns.hots in ${path}`, /did you mean dns\.host\?/);
  has('NEARCAST_TEST_PORTT', /did you mean NEARCAST_TEST_PORT\?/);
  has('NEARCAST_TEST_LEASE_MS', /must be number/);
  has('--levle', /did you mean --level\?/);
  has('--level', /must be one of "info", "debug"/);
  has('stray', /is not an option/);
  has('--data-dir', /needs a value/);
  has(`tls.certPath in ${path}`, /must be string/);
  has(
    'tls.keyPath',
    /is missing: set --tls-key-path, NEARCAST_TEST_TLS_KEY_PATH or tls\.keyPath in the file/,
  );
  t.end();
});

t.test('a file that is missing, no file, no JSON or too large', (t) => {
  const dir = t.testdir({
    'bad.json': '{"port": }',
    'big.json': ' '.repeat(1024 * 1024 + 1),
    'list.json': '[]',
  });
  t.doesNotThrow(() => load({ fileDefault: join(dir, 'none.json') }));
  const refused = (name: string, message: RegExp): void => {
    t.throws(() => load({ argv: ['--config', join(dir, name)] }), { code: 'CONFIG_INVALID', message });
  };
  refused('none.json', /no such file/);
  refused('', /not a regular file/);
  refused('bad.json', /not JSON/);
  refused('big.json', /larger than/);
  refused('list.json', /must hold one JSON object/);
  t.end();
});

t.test('help names each option', (t) => {
  t.match(configHelp(schema, prefix), /--dns-port[\s\S]*env NEARCAST_TEST_DNS_PORT/);
  t.end();
});
