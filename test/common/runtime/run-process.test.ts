import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { t, type Test } from 'tap';
import { exitCodes } from '../../../common/runtime/exit-codes.ts';

interface LogRecord {
  msg: string;
  level: string;
  url?: string;
  readyMs?: number;
  code?: string;
}

/** Starts the test process; `seen` resolves with the first record of a message. */
function start(t: Test, ...args: string[]) {
  const script = new URL('processes/server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const records: LogRecord[] = [];
  const waiting = new Map<string, (record: LogRecord) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const record = JSON.parse(line) as LogRecord;
    records.push(record);
    waiting.get(record.msg)?.(record);
  });
  const seen = (msg: string): Promise<LogRecord> =>
    new Promise((resolve) => {
      const found = records.find((record) => record.msg === msg);
      if (found === undefined) waiting.set(msg, resolve);
      else resolve(found);
    });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, records, seen, exited, messages: () => records.map((record) => record.msg) };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal}: ready, then stopped in reverse, exit 0`, async (t) => {
    const { child, seen, exited, messages } = start(t, 'plain');
    const ready = await seen('ready');
    t.match(ready, { name: 'test', url: /^http:\/\/127\.0\.0\.1:\d+$/, readyMs: Number });
    t.equal((await fetch(`${ready.url ?? ''}/healthz`)).status, 200);
    child.kill(signal);
    t.equal(await exited, exitCodes.ok);
    t.same(messages(), ['ready', 'stopping', 'last stopped', 'first stopped', 'stopped']);
  });
}

t.test('a second signal exits at once', async (t) => {
  const { child, seen, exited } = start(t, 'hang');
  await seen('ready');
  child.kill('SIGTERM');
  await seen('last stopped');
  child.kill('SIGTERM');
  t.equal(await exited, 143);
});

t.test('a component that crashes stops the process with an error log', async (t) => {
  const { exited, records, messages } = start(t, 'crash');
  t.equal(await exited, exitCodes.internal);
  t.match(
    records.find((record) => record.level === 'fatal'),
    { msg: 'crashed', code: 'INTERNAL', err: { message: 'engine broke', stack: String } },
  );
  t.same(messages().slice(-3), ['last stopped', 'first stopped', 'stopped']);
});

t.test('an unhandled rejection is a crash', async (t) => {
  const { exited, records } = start(t, 'reject');
  t.equal(await exited, exitCodes.internal);
  t.match(
    records.find((record) => record.level === 'fatal'),
    { err: { message: 'nobody caught' } },
  );
});

t.test('a port in use: what had started is stopped, the address is named', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;
  const { exited, records, messages } = start(t, 'plain', String(port));
  t.equal(await exited, exitCodes.unavailable);
  const fatal = records.find((record) => record.level === 'fatal');
  t.match(fatal, { code: 'ADDRESS_IN_USE', msg: new RegExp(`127\\.0\\.0\\.1:${port}`) });
  t.equal(messages()[0], 'first stopped');
  t.equal(messages().at(-1), 'stopped');
});
