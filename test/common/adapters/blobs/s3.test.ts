import { readdir } from 'node:fs/promises';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import t from 'tap';
import { writeBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import { openBlobs } from '../../../../common/adapters/blobs/open.ts';
import type { Blobs } from '../../../../common/adapters/blobs/port.ts';
import { blobsConformance, chunks } from '../../../conformance/blobs.ts';
import { s3Credentials, startS3Server } from '../../../support/s3-server.ts';

// Of the machine's own settings none may reach the test, and none of the test's the cloud.
for (const name of Object.keys(process.env))
  if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
Object.assign(process.env, s3Credentials, { AWS_EC2_METADATA_DISABLED: 'true' });

const server = await startS3Server();
if (typeof server === 'string') {
  t.pass(`skipped: ${server}`, { skip: server });
} else {
  t.teardown(server.stop);
  let stores = 0;
  const urlOf = (prefix: string, bucket = server.bucket): string =>
    `s3://${bucket}/${prefix}?endpoint=${encodeURIComponent(server.endpoint)}&region=us-east-1`;
  const open = async (): Promise<Blobs> => {
    stores += 1;
    const blobs = await openBlobs(urlOf(`store-${String(stores)}`));
    t.teardown(() => blobs.close());
    return blobs;
  };
  const unfinishedUploads = async (): Promise<number> => {
    const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true });
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: server.bucket }));
    client.destroy();
    return Uploads?.length ?? 0;
  };

  t.test('conformance: S3', (t) => {
    blobsConformance(t, open);
    t.end();
  });

  t.test('an upload in parts that fails, is aborted or comes second leaves no parts', async (t) => {
    const blobs = await open();
    const failure = new Error('the source broke');
    await t.rejects(blobs.write('large', chunks(400, failure)), failure);
    const stop = new AbortController();
    async function* stopped(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* chunks(300);
      stop.abort();
      yield* chunks(300);
    }
    await t.rejects(blobs.write('large', stopped(), { signal: stop.signal }), { code: 'ABORTED' });
    t.equal(await blobs.stat('large'), undefined);
    async function* overtaken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* chunks(300);
      await writeBlobBytes({ blobs, key: 'large' }, Buffer.from('first'));
    }
    t.strictSame(await blobs.write('large', overtaken(), { ifAbsent: true }), { kind: 'exists' });
    t.equal((await blobs.stat('large'))?.sizeBytes, 5);
    t.equal(await unfinishedUploads(), 0);
  });

  t.test('objects lie under the prefix, and other prefixes are not seen', async (t) => {
    const blobs = await openBlobs(urlOf('films/2026'));
    await writeBlobBytes({ blobs, key: 'files/a' }, Buffer.from('x'));
    t.ok((await readdir(server.directory, { recursive: true })).includes('films/2026/files/a'));
    const others = await openBlobs(urlOf('films/20'));
    t.strictSame(await others.list(''), []);
    await Promise.all([blobs.close(), others.close()]);
  });

  t.test('a bucket that is not there, a wrong key, a server that is not there', async (t) => {
    await t.rejects(openBlobs(urlOf('', 'no-such-bucket')), { code: 'STORE_UNAVAILABLE' });
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    await t.rejects(openBlobs(urlOf('')), { code: 'STORE_DENIED' });
    Object.assign(process.env, s3Credentials);
    await t.rejects(openBlobs('s3://bucket/?endpoint=http://127.0.0.1:9'), { code: 'STORE_UNAVAILABLE' });
  });
}
