import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { startBox } from '../support/appliance/box-process.ts';
import { testToken } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { openSocket, rawGet, until } from '../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../support/appliance/serving-box.ts';

void t.test(
  'a box whose connections run out tells steering, refuses new sessions, and is back later',
  async (test) => {
    const control = new ControlDouble();
    await control.start();
    test.teardown(() => control.stop());
    const directory = await temporaryDirectory(test);
    await mkdir(join(directory, 'blobs'));
    const box = await startBox(test, [
      ...[
        '--origin',
        '--blobs-url',
        `file://${join(directory, 'blobs')}`,
        '--data-dir',
        join(directory, 'origin'),
      ],
      ...['--control-url', control.url, '--enrolment-code', control.code('origin', 'origin'), '--port', '0'],
      ...['--connections-max', '40', '--workers', '2'],
    ]);
    const port = Number(new URL(box.url).port);
    const heard = () => control.heartbeats.at(-1);
    await until(() => heard()?.headroom === 1 || (heard()?.headroom ?? 0) > 0.9);
    const sockets = await Promise.all(Array.from({ length: 38 }, () => openSocket(port)));
    await until(() => heard()?.reasons.includes('BUSY_CONNECTIONS') ?? false, 10_000);
    test.equal(heard()?.headroom, 0);
    const target = `/v1/${testToken(control.keys.tokens, { bundle: 'ab'.repeat(32) })}/${'cd'.repeat(32)}.mp4`;
    const answer = await rawGet(port, target);
    test.equal(answer.status, 429);
    test.ok(answer.headers['retry-after']);
    for (const socket of sockets) socket.destroy();
    await until(() => heard()?.reasons.length === 0, 20_000);
    await until(async () => (await rawGet(port, target)).status === 404, 10_000);
  },
);
