import { t } from 'tap';
import { coded } from '../../../common/runtime/errors.ts';
import { createLog } from '../../../common/runtime/log.ts';

const token = `0oRDoQEm${'x'.repeat(200)}`;
const file = 'b'.repeat(64);

t.test('records are JSON with level, time, name and message', (t) => {
  const lines: string[] = [];
  const log = createLog({ name: 'steering', write: (line) => lines.push(line) });
  log.debug('not shown');
  log.info({ sizeBytes: 5 }, 'file filled');
  t.equal(lines.length, 1);
  t.match(JSON.parse(lines[0] ?? ''), {
    level: 'info',
    time: /^\d{4}-.*Z$/,
    name: 'steering',
    sizeBytes: 5,
    msg: 'file filled',
  });
  t.end();
});

t.test('no credential reaches a line, wherever it stands', (t) => {
  const lines: string[] = [];
  const log = createLog({ name: 'x', write: (line) => lines.push(line) });
  const cause = new Error(`GET /v1/${token}/${file}.mp4 failed`);
  log
    .child({ token: 'short', peer: token })
    .warn({ url: `http://h/v1/${token}/${file}.mp4`, headers: { cookie: 'k' } }, `at ${token}/`);
  log.error({ err: coded('INTERNAL', { cause }) }, `for /v1/steer/${token}`);
  log.error(cause);
  for (const line of lines) t.notMatch(line, /0oRDoQEm|short/);
  t.match(JSON.parse(lines[0] ?? ''), { token: '[hidden]', headers: { cookie: '[hidden]' } });
  t.match(JSON.parse(lines[1] ?? ''), {
    err: { code: 'INTERNAL', cause: { message: /\[hidden\]/, stack: String } },
  });
  t.end();
});

t.test('the readable form is one line and carries no control characters', (t) => {
  const lines: string[] = [];
  const log = createLog({ name: 'x', format: 'pretty', write: (line) => lines.push(line) });
  log.info({ url: 'http://127.0.0.1:1', note: 'two words' }, 'ready\u001b[31m');
  t.match(
    lines[0],
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}x ready\ufffd\[31m url=http:\/\/127\.0\.0\.1:1 note="two words"\n$/,
  );
  log.error({ err: new Error('broken') }, 'failed');
  t.match(lines[1], /failed\n {4}Error: broken\n/);
  t.end();
});
