import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readEnrolmentCode, refusePublic } from '../../../common/runtime/node-options.ts';

t.test('a server that takes credentials stays on loopback unless told otherwise', (t) => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
    refusePublic({ host, insecurePublic: false });
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
    t.throws(() => refusePublic({ host, insecurePublic: false }), { code: 'CONFIG_INVALID' }, host);
    refusePublic({ host, insecurePublic: true });
  }
  t.end();
});

t.test('the enrolment code comes from its option or its file, and may be missing', async (t) => {
  const path = join(t.testdir(), 'code');
  t.equal(readEnrolmentCode({}), undefined);
  t.equal(readEnrolmentCode({ enrolmentCodeFile: path }), undefined, 'the file was removed after its use');
  await writeFile(path, ' nc1.a.b\n');
  t.equal(readEnrolmentCode({ enrolmentCodeFile: path }), 'nc1.a.b');
  t.equal(readEnrolmentCode({ enrolmentCode: 'nc1.c.d', enrolmentCodeFile: path }), 'nc1.c.d');
  t.throws(() => readEnrolmentCode({ enrolmentCodeFile: t.testdirName }), { code: 'CONFIG_INVALID' });
});
