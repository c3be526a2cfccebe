import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { startBox } from '../support/appliance/box-process.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { until } from '../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../support/appliance/serving-box.ts';
import { secureConnect, secureGet, visit } from '../support/appliance/tls-client.ts';
import { makeCertificate } from '../support/certificates.ts';

void t.test(
  'a box with certificates speaks https from all of its processes, and takes new ones',
  async (test) => {
    const control = new ControlDouble();
    await control.start();
    test.teardown(() => control.stop());
    const directory = await temporaryDirectory(test);
    const made = join(directory, 'made');
    await mkdir(made);
    const authority = await makeCertificate(made, { file: 'ca', hosts: ['ca'], isAuthority: true });
    const certified = (file: string, hosts: string[]) =>
      makeCertificate(made, { file, hosts, issuer: authority });
    const [old, renewed] = [
      await certified('old', ['box.test']),
      await certified('new', ['box.test', 'new.test']),
    ];
    const files = { certFile: join(directory, 'box.crt'), keyFile: join(directory, 'box.key') };
    const put = async (from: typeof old): Promise<void> => {
      await copyFile(from.keyFile, files.keyFile);
      await copyFile(from.certFile, files.certFile);
    };
    await put(old);
    const box = await startBox(test, [
      ...[
        '--data-dir',
        join(directory, 'box'),
        '--control-url',
        control.url,
        '--enrolment-code',
        control.code('box'),
      ],
      ...[
        '--port',
        '0',
        '--workers',
        '2',
        '--tls-cert-file',
        files.certFile,
        '--tls-key-file',
        files.keyFile,
      ],
    ]);
    test.match(box.url, /^https:\/\/box\.test:\d+$/);
    const port = Number(new URL(box.url).port);
    const client = { ca: authority.cert, servername: 'box.test' };
    const at = { ...client, port, path: '/healthz' };
    test.match((await secureGet(at)).body.toString(), /"status":"ok"/);

    // One ticket, any worker.
    const { session } = await visit(port, '/healthz', client);
    for (let round = 0; round < 8; round++) {
      test.ok((await visit(port, '/healthz', { ...client, session })).isResumed);
    }

    const kept = await secureConnect(port, client);
    await put(renewed);
    const names = async (): Promise<string | undefined> => {
      const socket = await secureConnect(port, client);
      const { subjectaltname } = socket.getPeerCertificate();
      socket.destroy();
      return subjectaltname;
    };
    await until(async () => (await names()) === 'DNS:box.test, DNS:new.test', 15_000);
    kept.write('GET /healthz HTTP/1.1\r\nhost: box\r\n\r\n');
    const [answer] = (await once(kept, 'data')) as [Buffer];
    test.match(answer.toString(), /^HTTP\/1\.1 200 /);
    kept.destroy();

    await copyFile(old.keyFile, files.keyFile);
    await until(() => control.last(box.url)?.reasons.includes('TLS_CERTIFICATE_INVALID') === true, 15_000);
    test.equal((await secureGet(at)).status, 200);
    test.equal(await box.kill('SIGTERM'), 0);
    test.notMatch(box.lines.join('\n'), /PRIVATE KEY/);
  },
);

void t.test('a box whose certificate cannot be used does not start, and says why', async (test) => {
  const control = new ControlDouble();
  await control.start();
  test.teardown(() => control.stop());
  const directory = await temporaryDirectory(test);
  const one = await makeCertificate(directory, { file: 'one', hosts: ['box.test'] });
  const other = await makeCertificate(directory, { file: 'other', hosts: ['box.test'] });
  const starting = startBox(test, [
    ...[
      '--data-dir',
      join(directory, 'box'),
      '--control-url',
      control.url,
      '--enrolment-code',
      control.code('box'),
    ],
    ...['--port', '0', '--tls-cert-file', one.certFile, '--tls-key-file', other.keyFile],
  ]);
  await test.rejects(starting, { message: /other\.key: this is not the key of .*one\.crt/ });
});
