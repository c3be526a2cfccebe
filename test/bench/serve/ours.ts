// A profile of ours under load: start it by `perf record`, as startBox's `by` allows:
//   NEARCAST_BENCH_PROFILE=/tmp/ours.data ./dev bench serve --only http.65536.c32
//   perf report -i /tmp/ours.data --no-children --comm 'nearcast box wo'
// Virtual machines often have no hardware counters (`perf stat -e instructions true` says `not supported`): it samples by
// the CPU clock, which all have. The figures of such a run are worth nothing.
import { writeFile } from 'node:fs/promises';

import { startBox } from '../../support/appliance/box-process.ts';
import { testToken } from '../../support/appliance/content.ts';
import { ControlDouble } from '../../support/appliance/control-double.ts';
import { linkStore, makeCertificate, type Content } from './content.ts';
import { pinnedTo, processTree, type Protocol, type Server } from './server.ts';

/** Warnings and worse: that it serves without the native engine, that a worker died. */
const isRemarkable = (line: string): boolean => /"level":"(warn|error|fatal)"/.test(line);

function messageOf(line: string): string {
  const {
    level: _level,
    time: _time,
    name: _name,
    msg,
    ...rest
  } = JSON.parse(line) as Record<string, unknown>;
  return `${String(msg)} ${JSON.stringify(rest)}`;
}

/**
 * The appliance as it is installed: the whole process, enrolled at a control plane, which lives in this process; one worker,
 * tokens verified, records and metrics on.
 */
export async function startOurs(
  content: Content,
  options: { protocol: Protocol; cpu: number | undefined },
): Promise<Server> {
  const { protocol } = options;
  const directory = await content.newDirectory('ours');
  await linkStore(content, directory);
  const tls = protocol === 'https' ? await makeCertificate(directory) : undefined;
  const control = new ControlDouble();
  await control.start();
  const { bundle, files } = content;
  await control.setManifest('box', 1, { files: files.map((file) => ({ ...file, bundle })) });
  const codeFile = `${directory}.code`;
  await writeFile(codeFile, `${control.code('box')}\n`);
  const profile = process.env['NEARCAST_BENCH_PROFILE'];
  const perf = ['perf', 'record', '-F', '1999', '-e', 'cpu-clock', '-g', '-o', profile ?? ''];
  const teardowns: (() => Promise<unknown>)[] = [];
  const box = await startBox(
    { teardown: (done) => teardowns.push(done) },
    [
      ...['--data-dir', directory, '--control-url', control.url, '--enrolment-code-file', codeFile],
      ...['--port', '0', '--reserve-bytes', '0', '--workers', '1'],
      ...['--connections-max', '20000', '--connections-per-address-max', '20000'],
      ...(tls === undefined ? [] : ['--tls-cert-file', tls.certificate, '--tls-key-file', tls.key]),
    ],
    [...pinnedTo(options.cpu), ...(profile === undefined || options.cpu === undefined ? [] : perf)],
  );
  const token = testToken(control.keys.tokens, { bundle });
  return {
    name: 'ours',
    protocol,
    port: Number(new URL(box.url).port),
    targets: await content.writeTargets(directory, (file) => `/v1/${token}/${file}.mp4`),
    pids: () => processTree(box.pid),
    remarks: () => box.lines.filter(isRemarkable).map((line) => `Ours said: ${messageOf(line)}.`),
    async stop() {
      await box.kill('SIGTERM');
      await control.stop();
    },
  };
}
