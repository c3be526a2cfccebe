import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import t, { type Test } from 'tap';

import { openMail } from '../../../../common/adapters/mail/open.ts';
import type { Mail } from '../../../../common/adapters/mail/port.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { mailConformance } from '../../../conformance/mail.ts';
import { until } from '../../../control-plane/support/until.ts';
import { makeCertificate } from '../../../support/certificates.ts';
import { startSmtpServer, type SmtpBehaviour, type SmtpServer } from '../../../support/smtp-server.ts';

const letter = {
  id: 'let_0123456789',
  accountId: 'acc_0123456789',
  to: { name: 'Ada', address: 'ada@example.com' },
  ...{ subject: 'Hello', text: 'Hello Ada,\n.\n..two\n.three\n' },
};
const within = { signal: AbortSignal.timeout(60_000) };
const open = (url: string, password?: string): Promise<Mail> =>
  openMail(url, { from: 'nearcast@cdn.example', password, clock: createManualClock() });

async function startLab(t: Test, behaviour?: SmtpBehaviour): Promise<{ server: SmtpServer; mail: Mail }> {
  const server = await startSmtpServer(t, behaviour);
  return { server, mail: await open(`smtp://127.0.0.1:${server.port}`) };
}

t.test('conformance: SMTP', (t) => {
  mailConformance(t, async () => {
    const { server, mail } = await startLab(t);
    return { mail, letters: async () => server.letters.map(({ data }) => data) };
  });
  t.end();
});

t.test('the envelope names who it is from and for; dots arrive', async (t) => {
  const { server, mail } = await startLab(t);
  await mail.send(letter, within);
  t.match(server.letters, [{ from: 'nearcast@cdn.example', to: ['ada@example.com'], isSecure: false }]);
  t.match(server.letters[0]?.data, /\r\n\.\r\n\.\.two\r\n\.three/);
});

t.test('what a server says decides whether it is worth another try, and names nobody', async (t) => {
  const cases: [command: string, answer: string, code: string][] = [
    ['RCPT', '550 5.1.1 <ada@example.com>: no such user', 'MAIL_REFUSED'],
    ['RCPT', '450 4.2.1 ada@example.com is busy', 'MAIL_UNAVAILABLE'],
    ['MAIL', '451 later', 'MAIL_UNAVAILABLE'],
    ['DATA', '554 5.7.1 not you', 'MAIL_REFUSED'],
    ['.', '554 5.6.0 no such letters', 'MAIL_REFUSED'],
    ['.', '452 4.3.1 full', 'MAIL_UNAVAILABLE'],
    ['CONNECT', '554 nobody home', 'MAIL_UNAVAILABLE'],
    ['CONNECT', 'SSH-2.0-OpenSSH_9.2', 'MAIL_UNAVAILABLE'],
    ['EHLO', '502 what?', 'MAIL_UNAVAILABLE'],
  ];
  for (const [command, answer, code] of cases) {
    const behaviour = { answer: (said: string) => (said === command ? answer : undefined) };
    // An old server that knows no EHLO is greeted in the old way.
    const isHelo = command === 'EHLO';
    const both = { answer: (said: string) => (isHelo && said === 'HELO' ? answer : behaviour.answer(said)) };
    const { server, mail } = await startLab(t, both);
    const failed: unknown = await mail.send(letter, within).then(
      () => undefined,
      (error: unknown) => error,
    );
    t.match(failed, { code }, `${command} ${answer}`);
    t.notMatch(String(failed), /ada@example/);
    t.strictSame(server.letters, []);
  }
});

t.test('nobody there, and a server that cuts the connection', async (t) => {
  const { server, mail } = await startLab(t);
  await server.stop();
  await t.rejects(mail.send(letter, within), { code: 'MAIL_UNAVAILABLE' });
  const cutting: { server?: SmtpServer } = {};
  cutting.server = await startSmtpServer(t, {
    answer: (command) => {
      if (command === 'RCPT') void cutting.server?.stop();
      return undefined;
    },
  });
  await t.rejects((await open(`smtp://127.0.0.1:${cutting.server.port}`)).send(letter, within), {
    code: 'MAIL_UNAVAILABLE',
  });
});

t.test('a silent server is left when nobody waits any more', async (t) => {
  for (const command of ['CONNECT', 'EHLO', 'RCPT', '.']) {
    const { server, mail } = await startLab(t, {
      answer: (said) => (said === command ? 'silence' : undefined),
    });
    const leaving = new AbortController();
    const sending = mail.send(letter, { signal: leaving.signal });
    await until(server.connections, (count) => count > 0);
    leaving.abort(new Error('enough'));
    await t.rejects(sending, { message: 'enough' }, command);
    await server.stop();
  }
});

t.test('signs in where a user is named', async (t) => {
  const login = { user: 'near cast', pass: 'päss' };
  const server = await startSmtpServer(t, { login });
  const url = `smtp://near%20cast@127.0.0.1:${server.port}`;
  await (await open(url, login.pass)).send(letter, within);
  t.match(server.letters, [{ user: 'near cast' }]);
  await t.rejects((await open(url, 'wrong')).send(letter, within), { code: 'MAIL_UNAVAILABLE' });
  await t.rejects((await open(`smtp://127.0.0.1:${server.port}`)).send(letter, within));
  t.equal(server.letters.length, 1);
});

t.test('letters leave the machine over TLS alone, to whom the certificate is for', async (t) => {
  const directory = t.testdir();
  // Every machine reaches itself by this address, which is not one of loopback.
  const certificate = await makeCertificate(directory, { file: 'mail', hosts: ['0.0.0.0'] });
  const plain = await startSmtpServer(t);
  const plainMail = await open(`smtp://0.0.0.0:${plain.port}`);
  await t.rejects(plainMail.send(letter, within), { code: 'MAIL_UNAVAILABLE' }, 'it offers no STARTTLS');
  const starts = await startSmtpServer(t, { certificate });
  const speaks = await startSmtpServer(t, { certificate, isTls: true });
  const urls = [`smtp://0.0.0.0:${starts.port}`, `smtps://0.0.0.0:${speaks.port}`];
  for (const url of urls)
    await t.rejects((await open(url)).send(letter, within), { code: 'MAIL_UNAVAILABLE' }, 'a stranger');
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, certificate.cert]);
  t.teardown(() => {
    setDefaultCACertificates(before);
  });
  for (const url of urls) await (await open(url)).send(letter, within);
  t.match([...starts.letters, ...speaks.letters], [{ isSecure: true }, { isSecure: true }]);
  t.strictSame(plain.letters, []);
});
