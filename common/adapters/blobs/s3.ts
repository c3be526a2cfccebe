import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { Readable, addAbortSignal } from 'node:stream';
import { abandon } from '../shared/interruptible.ts';
import { checkBlobKey, checkBlobPrefix, clipRange, listLimit } from './key.ts';
import type {
  Blobs,
  BlobEntry,
  BlobListOptions,
  BlobReadOptions,
  BlobStat,
  BlobWriteOptions,
  BlobWritten,
} from './port.ts';
import { s3Error, s3Status } from './s3-error.ts';
import { writeObject, type S3Target } from './s3-write.ts';

const CONNECT_TIMEOUT_MS = 3000;
const SOCKET_TIMEOUT_MS = 60_000;

/**
 * Opens a bucket's prefix: `s3://bucket/prefix?endpoint=https://…&region=…`. With an endpoint the bucket is put in the path
 * and no checksums beyond S3's first are asked for, as servers other than AWS's need it. Credentials, and the region when
 * the URL names none, come from the standard AWS environment. Errors: those of the port, when the bucket cannot be used.
 */
export async function openS3Blobs(url: URL): Promise<Blobs> {
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  const region = url.searchParams.get('region') ?? (endpoint === undefined ? undefined : 'us-east-1');
  const client = new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && {
      endpoint,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
    maxAttempts: 3,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SOCKET_TIMEOUT_MS },
  });
  const folder = url.pathname.replaceAll(/^\/+|\/+$/g, '');
  const target = { client, bucket: url.hostname, prefix: folder === '' ? '' : `${checkBlobKey(folder)}/` };
  try {
    await client.send(new HeadBucketCommand({ Bucket: target.bucket }));
  } catch (error) {
    client.destroy();
    throw s3Error(error, `opening s3://${target.bucket}`);
  }
  return new S3Blobs(target);
}

class S3Blobs implements Blobs {
  readonly #target: S3Target;

  constructor(target: S3Target) {
    this.#target = target;
  }

  async stat(key: string): Promise<BlobStat | undefined> {
    const object = this.#object(key);
    try {
      const head = await this.#target.client.send(new HeadObjectCommand(object));
      return { sizeBytes: head.ContentLength ?? 0, modifiedMs: head.LastModified?.getTime() ?? 0 };
    } catch (error) {
      if (s3Status(error) === 404) return undefined;
      throw s3Error(error, `looking at ${object.Key}`);
    }
  }

  async read(key: string, options: BlobReadOptions = {}): Promise<Readable | undefined> {
    const { signal } = options;
    const object = this.#object(key);
    const { offset, end } = clipRange(Number.MAX_SAFE_INTEGER, options);
    // No range of HTTP is empty.
    if (offset === end) return (await this.stat(key)) && Readable.from([]);
    const last = end === Number.MAX_SAFE_INTEGER ? '' : String(end - 1);
    const range = offset === 0 && last === '' ? {} : { Range: `bytes=${String(offset)}-${last}` };
    try {
      const { Body } = await this.#target.client.send(new GetObjectCommand({ ...object, ...range }), {
        ...(signal && { abortSignal: signal }),
      });
      if (!(Body instanceof Readable)) return Readable.from([]);
      return signal ? addAbortSignal(signal, Body) : Body;
    } catch (error) {
      if (s3Status(error) === 404) return undefined;
      // RFC 9110 §15.5.17: all of the range lies behind the end.
      if (s3Status(error) === 416) return Readable.from([]);
      throw s3Error(error, `reading ${object.Key}`, signal);
    }
  }

  async write(
    key: string,
    source: AsyncIterable<Uint8Array>,
    options: BlobWriteOptions = {},
  ): Promise<BlobWritten> {
    const { Key } = this.#object(key);
    if (options.ifAbsent === true && (await this.stat(key)) !== undefined) {
      abandon(source);
      return { kind: 'exists' };
    }
    return await writeObject({ ...this.#target, key: Key }, source, options);
  }

  async remove(key: string): Promise<void> {
    const object = this.#object(key);
    try {
      await this.#target.client.send(new DeleteObjectCommand(object));
    } catch (error) {
      if (s3Status(error) !== 404) throw s3Error(error, `removing ${object.Key}`);
    }
  }

  async list(prefix: string, options: BlobListOptions = {}): Promise<readonly BlobEntry[]> {
    const limit = listLimit(options);
    const entries: BlobEntry[] = [];
    let after = options.after ?? '';
    checkBlobPrefix(prefix);
    // A page of S3 may be shorter than asked for though more follows.
    for (;;) {
      const page = await this.#listPage({ prefix, after, limit: limit - entries.length });
      entries.push(...page.entries);
      if (page.last === undefined || entries.length >= limit) return entries;
      after = page.last;
    }
  }

  close(): Promise<void> {
    this.#target.client.destroy();
    return Promise.resolve();
  }

  /** One page of S3; `last` is the key to go on after, undefined when this was the last page. */
  async #listPage(range: { prefix: string; after: string; limit: number }): Promise<ListedPage> {
    const { client, bucket, prefix: base } = this.#target;
    try {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: base + range.prefix,
          MaxKeys: range.limit,
          ...(range.after !== '' && { StartAfter: base + range.after }),
        }),
      );
      const entries = (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => ({
        key: Key.slice(base.length),
        sizeBytes: Size,
        modifiedMs: LastModified?.getTime() ?? 0,
      }));
      // Other tools leave empty objects named `folder/`, which are no blobs.
      const blobs = entries.filter(({ key }) => key !== '' && !key.endsWith('/'));
      return { entries: blobs, last: page.IsTruncated === true ? entries.at(-1)?.key : undefined };
    } catch (error) {
      throw s3Error(error, `listing ${base}${range.prefix}`);
    }
  }

  #object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#target.bucket, Key: this.#target.prefix + checkBlobKey(key) };
  }
}

interface ListedPage {
  entries: BlobEntry[];
  last: string | undefined;
}
