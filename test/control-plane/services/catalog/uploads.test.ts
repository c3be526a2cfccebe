import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { mountSmallDisk } from '../../../support/small-disk.ts';
import { call, type Answer } from '../../support/call.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { asEncoder, asRole } from '../../support/fake-credentials.ts';
import { until } from '../../support/until.ts';

const operator = asRole('operator');
const octets = { ...operator, 'content-type': 'application/octet-stream' };

async function begin(lab: CatalogLab, sizeBytes: number): Promise<string> {
  const answer = await call(`${lab.url}/v1/uploads`, {
    headers: operator,
    json: { filename: 'a film.mp4', sizeBytes },
  });
  if (answer.status !== 201) throw new Error(answer.text);
  return `${lab.url}/v1/uploads/${String(answer.body['uploadId'])}`;
}

async function patch(url: string, offset: number, bytes: Uint8Array): Promise<Answer> {
  return await call(url, { method: 'PATCH', headers: { ...octets, 'upload-offset': String(offset) }, bytes });
}

/** Opens a PATCH by hand, sends the head and these bytes, and leaves the body unfinished. */
async function beginPatch(
  url: string,
  offset: number,
  bytes: Uint8Array,
): Promise<ReturnType<typeof connect>> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const head = [
    `PATCH ${pathname} HTTP/1.1`,
    `host: ${hostname}`,
    `authorization: ${operator.authorization}`,
    'content-type: application/octet-stream',
    `upload-offset: ${offset}`,
    'transfer-encoding: chunked',
  ].join('\r\n');
  socket.write(`${head}\r\n\r\n${bytes.length.toString(16)}\r\n`);
  socket.write(bytes);
  socket.write('\r\n');
  socket.on('error', () => undefined);
  return socket;
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
}

t.test('an upload in pieces', async (t) => {
  const lab = await openCatalogLab(t);
  const bytes = pattern(300_000);
  const url = await begin(lab, bytes.length);
  t.match((await call(url, { headers: operator })).body, { offsetBytes: 0, complete: false });
  const first = await patch(url, 0, bytes.subarray(0, 100_000));
  t.match(first, {
    status: 200,
    body: { offsetBytes: 100_000, complete: false },
    headers: { 'upload-offset': '100000' },
  });
  const head = await call(url, { method: 'HEAD', headers: operator });
  t.match(head, { status: 200, headers: { 'upload-offset': '100000', 'cache-control': 'no-store' } });
  t.match((await patch(url, 100_000, bytes.subarray(100_000))).body, {
    offsetBytes: 300_000,
    complete: true,
  });
  const [name = ''] = await readdir(join(lab.directory, 'uploads'));
  t.ok(bytes.equals(await readFile(join(lab.directory, 'uploads', name))));
  t.equal((await stat(join(lab.directory, 'uploads', name))).mode & 0o777, 0o600);
});

t.test('what is wrong is told by its code and changes nothing', async (t) => {
  const lab = await openCatalogLab(t, { options: { sourceSizeBytesMax: 1_000_000, uploadsMax: 2 } });
  const create = (json: unknown, headers: Record<string, string> = operator): Promise<Answer> =>
    call(`${lab.url}/v1/uploads`, { headers, json });
  t.match(await create({ filename: 'x', sizeBytes: 0 }), { status: 422, body: { code: 'SOURCE_EMPTY' } });
  t.match(await create({ filename: 'x', sizeBytes: 1_000_001 }), {
    status: 413,
    body: { code: 'UPLOAD_TOO_LARGE' },
  });
  t.match(await create({ filename: 'a\nb', sizeBytes: 5 }), { status: 400, body: { code: 'INVALID' } });
  t.match(await create({ filename: 'x', sizeBytes: 5, path: '/etc' }), {
    status: 400,
    body: { code: 'INVALID' },
  });
  t.match(await create({ filename: 'x', sizeBytes: 5 }, {}), {
    status: 401,
    body: { code: 'CREDENTIAL_MISSING' },
  });
  t.match(await create({ filename: 'x', sizeBytes: 5 }, asRole('viewer')), {
    status: 403,
    body: { code: 'FORBIDDEN' },
  });
  t.match(await create({ filename: 'x', sizeBytes: 5 }, asEncoder('e1')), {
    status: 403,
    body: { code: 'FORBIDDEN' },
  });
  const url = await begin(lab, 10);
  t.match(await patch(url, 3, pattern(2)), {
    status: 409,
    body: { code: 'UPLOAD_OFFSET', detail: /goes on at byte 0/ },
  });
  t.match(await patch(url, 0, pattern(11)), { status: 413, body: { code: 'UPLOAD_TOO_LARGE' } });
  t.match(await patch(`${lab.url}/v1/uploads/upload_unknown-unknown`, 0, pattern(1)), {
    status: 404,
    body: { code: 'UPLOAD_UNKNOWN' },
  });
  for (const id of ['..%2f..%2fetc%2fpasswd', '%2e%2e', 'upload_..%2f..%2fxxxxxxxx', 'upload_%00xxxxxxxx']) {
    const answer = await patch(`${lab.url}/v1/uploads/${id}`, 0, pattern(1));
    t.match(answer.status, /^40[04]$/, id);
  }
  t.match(await call(url, { method: 'PATCH', headers: { ...operator, 'upload-offset': '0' }, json: {} }), {
    status: 415,
    body: { code: 'UNSUPPORTED_MEDIA_TYPE' },
  });
  t.match(await call(url, { method: 'PATCH', headers: octets, bytes: pattern(3) }), {
    status: 400,
    body: { code: 'INVALID' },
  });
  t.match((await call(url, { headers: operator })).body, { offsetBytes: 0 });
  await begin(lab, 10);
  t.match(await create({ filename: 'third', sizeBytes: 10 }), { status: 429, body: { code: 'OVERLOADED' } });
});

t.test('a body that grows beyond what was announced takes nothing with it', async (t) => {
  const lab = await openCatalogLab(t);
  const url = await begin(lab, 10);
  t.match((await patch(url, 0, pattern(4))).body, { offsetBytes: 4 });
  const socket = await beginPatch(url, 4, pattern(5));
  socket.write('5\r\n12345\r\n0\r\n\r\n');
  const [reply] = (await once(socket, 'data')) as [Buffer];
  t.match(reply.toString(), /^HTTP\/1.1 413 [\s\S]*UPLOAD_TOO_LARGE/);
  socket.destroy();
  t.match(
    (await call(url, { headers: operator })).body,
    { offsetBytes: 4 },
    'it goes on where the good part ended',
  );
  t.match((await patch(url, 4, pattern(6))).body, { complete: true });
});

t.test('a cut socket loses nothing that had arrived', async (t) => {
  const lab = await openCatalogLab(t);
  const bytes = pattern(200_000);
  const url = await begin(lab, bytes.length);
  const socket = await beginPatch(url, 0, bytes.subarray(0, 150_000));
  const [name = ''] = await readdir(join(lab.directory, 'uploads'));
  const path = join(lab.directory, 'uploads', name);
  await until(
    () => stat(path),
    ({ size }) => size === 150_000,
  );
  socket.destroy();
  const view = await until(
    () => call(url, { headers: operator }),
    ({ body }) => body['offsetBytes'] === 150_000,
  );
  t.match(view.body, { complete: false });
  t.match((await patch(url, 150_000, bytes.subarray(150_000))).body, { complete: true });
  t.ok(bytes.equals(await readFile(path)));
});

t.test('two writers at once: the second is refused, until the first has gone silent', async (t) => {
  const clock = createManualClock();
  const lab = await openCatalogLab(t, { clock, still: true });
  const url = await begin(lab, 100);
  const path = join(lab.directory, 'uploads', url.split('/').pop() ?? '');
  const first = await beginPatch(url, 0, pattern(40));
  await until(
    () => stat(path),
    ({ size }) => size === 40,
  );
  t.match(await patch(url, 40, pattern(60)), {
    status: 409,
    body: { code: 'CONFLICT' },
    headers: { 'retry-after': '2' },
  });
  const closed = once(first, 'close');
  await clock.advance(2000);
  const taken = await patch(url, 40, pattern(60));
  t.match(
    taken,
    { status: 200, body: { complete: true } },
    'the silent one makes way with all that it had brought',
  );
  await closed;
});

t.test('a writer that sends nothing is cut, and writers are bounded', async (t) => {
  const clock = createManualClock();
  const lab = await openCatalogLab(t, {
    clock,
    still: true,
    options: { uploadWritersMax: 1, uploadIdleMs: 5000 },
  });
  const [silent, other] = [await begin(lab, 100), await begin(lab, 100)];
  const socket = await beginPatch(silent, 0, pattern(7));
  const path = join(lab.directory, 'uploads', silent.split('/').pop() ?? '');
  await until(
    () => stat(path),
    ({ size }) => size === 7,
  );
  t.match(await patch(other, 0, pattern(100)), { status: 429, body: { code: 'OVERLOADED' } });
  const closed = once(socket, 'close');
  await clock.advance(5000);
  await closed;
  await until(
    () => call(silent, { headers: operator }),
    ({ body }) => body['offsetBytes'] === 7,
  );
  // Its place is free a moment after its bytes are there.
  const written = await until(
    () => patch(other, 0, pattern(100)),
    ({ status }) => status !== 429,
  );
  t.match(written, { status: 200, body: { complete: true } });
});

t.test('abandoned uploads are removed in their time', async (t) => {
  const clock = createManualClock();
  const lab = await openCatalogLab(t, { clock, still: true, options: { uploadTtlMs: 3_600_000 } });
  const [old, young] = [await begin(lab, 100), await begin(lab, 100)];
  await clock.advance(3_000_000);
  await patch(young, 0, pattern(10));
  await clock.advance(1_000_000);
  const uploads = lab.catalog.uploads as unknown as { sweep(): Promise<void> };
  await uploads.sweep();
  t.match(await call(old, { headers: operator }), { status: 404, body: { code: 'UPLOAD_UNKNOWN' } });
  t.match(await call(young, { headers: operator }), { status: 200, body: { offsetBytes: 10 } });
  t.equal((await readdir(join(lab.directory, 'uploads'))).length, 1);
});

t.test('a full disk is told, and the upload goes on when there is room again', async (t) => {
  const disk = await mountSmallDisk(12_000_000);
  if (typeof disk === 'string') {
    t.comment(`skipped: ${disk}`);
    return;
  }
  t.teardown(() => disk.unmount());
  const directory = disk.path;
  const lab = await openCatalogLab(t, { directory });
  const bytes = pattern(6_000_000);
  const url = await begin(lab, bytes.length);
  t.match(
    await call(`${lab.url}/v1/uploads`, {
      headers: operator,
      json: { filename: 'x', sizeBytes: 20_000_000 },
    }),
    {
      status: 507,
      body: { code: 'DISK_FULL' },
    },
  );
  await disk.fill(2_000_000);
  const refused = await patch(url, 0, bytes);
  t.match(refused, { status: 507, body: { code: 'DISK_FULL' } });
  await rm(join(directory, 'filler'));
  const { body } = await call(url, { headers: operator });
  const offset = Number(body['offsetBytes']);
  t.ok(offset < bytes.length);
  t.match((await patch(url, offset, bytes.subarray(offset))).body, { complete: true });
  t.ok(bytes.equals(await readFile(join(directory, 'uploads', url.split('/').pop() ?? ''))));
});

t.test('a process killed in mid-upload: the next one goes on at what was on the disk', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-killed-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const bytes = pattern(20_000_000);
  const { child, url } = await spawnLab(directory);
  const created = await call(`${url}/v1/uploads`, {
    headers: operator,
    json: { filename: 'x', sizeBytes: bytes.length },
  });
  const id = String(created.body['uploadId']);
  await beginPatch(`${url}/v1/uploads/${id}`, 0, bytes.subarray(0, 19_000_000));
  await until(
    () => stat(join(directory, 'uploads', id)),
    ({ size }) => size === 19_000_000,
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  await mkdir(join(directory, 'uploads'), { recursive: true });
  await writeFile(join(directory, 'uploads', 'upload_stray-stray'), 'of no record');
  const lab = await openCatalogLab(t, { directory });
  const again = `${lab.url}/v1/uploads/${id}`;
  const offset = Number((await call(again, { headers: operator })).body['offsetBytes']);
  t.ok(offset >= 8_000_000 && offset <= 19_000_000, `it goes on at ${offset}, made durable before the kill`);
  t.match((await patch(again, offset, bytes.subarray(offset))).body, { complete: true });
  t.ok(bytes.equals(await readFile(join(directory, 'uploads', id))));
  t.strictSame(await readdir(join(directory, 'uploads')), [id], 'strays are removed');
});

/** The catalog as a process of its own. */
async function spawnLab(directory: string): Promise<{ child: ReturnType<typeof spawn>; url: string }> {
  const program = new URL('../../support/catalog-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, url: line.toString().trim() };
}
