import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { askBox, boxArgv, startBox } from '../../support/appliance/box-process.ts';
import { seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { ControlDouble } from '../../support/appliance/control-double.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';

/** Bytes to viewers in the reports that are on the disk and not taken yet. */
async function spooledBytes(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').slice(1, -1));
  return lines
    .flatMap((line) => (JSON.parse(line) as { files: [string, number, number][] }).files)
    .reduce((sum, [, play]) => sum + play, 0);
}

void t.test(
  'killed between spool and answer: what was served is told once, and its lines are in the log',
  async (test) => {
    const directory = await temporaryDirectory(test);
    const control = new ControlDouble();
    await control.start();
    test.teardown(() => control.stop());
    const film = testFile(seededBytes(2_000_000, 5));
    const bundle = testBundle([film]);
    const source = await startSource(test, { name: 'source', files: [film, bundle] });
    control.waysOfAll = [source.way('origin')];
    const dataDir = join(directory, 'box');
    const argv = await boxArgv({ control, directory }, '--workers', '2');
    const box = await startBox(test, argv);
    const files = [bundle, film].map(({ file, ext, bytes }) => ({
      ...{ file, ext, sizeBytes: bytes.length, bundle: bundle.file },
    }));
    await control.setManifest('box', 1, { files });
    const token = testToken(control.keys.tokens, { bundle: bundle.file });
    // Nothing where the box refuses, as it may on a machine that is busy with other tests.
    const play = async (url: string, by = token): Promise<number> => {
      const answer = await askBox(`${url}/v1/${by}/${film.file}.mp4?CMCD=br%3D5`, {
        headers: { connection: 'close' },
      });
      return answer.status === 200 ? (await answer.arrayBuffer()).byteLength : 0;
    };
    const sizeBytes = film.bytes.length;
    control.losesServedReplies = true;
    await until(async () => (await play(box.url)) === sizeBytes, 15_000);
    await until(() => control.playedBytes('box') === sizeBytes, 10_000);
    await until(async () => (await play(box.url)) === sizeBytes, 15_000);
    const spool = join(dataDir, 'served-reports');
    await until(async () => (await spooledBytes(spool)) === 2 * sizeBytes, 10_000);
    await box.kill('SIGKILL');

    control.losesServedReplies = false;
    const again = await startBox(test, argv);
    await until(async () => (await play(again.url)) === sizeBytes, 15_000);
    await until(() => control.playedBytes('box') === 3 * sizeBytes, 15_000);
    await until(async () => (await readdir(spool)).every((name) => name.endsWith('.taken')), 10_000);
    test.equal(control.playedBytes('box'), 3 * sizeBytes, 'each byte once');
    const picture = testToken(control.keys.tokens, { scope: 'picture', bundle: bundle.file });
    await until(async () => (await play(again.url, picture)) === sizeBytes, 15_000);
    await until(() => control.playedBytes('box') === 4 * sizeBytes, 15_000);
    const pictureBytes = control.served
      .flatMap(({ report }) => report.body.files)
      .reduce((sum, file) => sum + (file.pictureBytes ?? 0), 0);
    test.equal(pictureBytes, sizeBytes, 'what was looked at is not what was played');
    const sequences = new Set(control.served.map(({ report }) => report.sequence));
    test.equal(Math.max(...sequences), sequences.size, 'no report is missing');
    await again.kill('SIGTERM');

    const text = await readFile(join(dataDir, 'logs', 'access.log'), 'utf8');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const whole = lines.filter(({ status }) => status === 200);
    test.same(
      whole.map(({ scope }) => scope),
      ['play', 'play', 'play', 'picture'],
    );
    for (const line of whole) {
      test.match(line, {
        file: film.file,
        sent: sizeBytes,
        cmcd: { br: 5 },
        client: /^[0-9a-f]{16}$/,
      });
    }
    test.equal(new Set(whole.map(({ client }) => client)).size, 2, 'a key of its own for each start');
    test.notMatch(text, token);
  },
);
