import t from 'tap';

import { Recorder } from '../../../appliance/records/recorder.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createLog } from '../../../common/runtime/log.ts';

void t.test('without a decoder records go without CMCD, and the log says so once', async (test) => {
  const lines: string[] = [];
  const said: unknown[] = [];
  const log = createLog({ name: 'test', format: 'json', write: (line) => void said.push(JSON.parse(line)) });
  const recorder = new Recorder({
    accessLog: { append: (bytes) => lines.push(bytes.toString()) },
    pseudonyms: undefined,
    onCmcd: () => test.fail('nothing can be read'),
    clock: createSystemClock(),
    log,
    loadDecoder: () => Promise.reject(new Error('not installed')),
  });
  recorder.withCmcd('{"status":200', 'q=br%3D1');
  recorder.withCmcd('{"status":206', 'q=br%3D2');
  await recorder.settled();
  recorder.withCmcd('{"status":404', 'q=br%3D3');
  test.same(lines, ['{"status":200}\n', '{"status":206}\n', '{"status":404}\n']);
  test.match(said, [{ level: 'warn', msg: /CMCD/ }]);
  test.equal(said.length, 1);
});
