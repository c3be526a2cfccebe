import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import { coded } from '../../runtime/errors.ts';
import { interruptible } from '../shared/interruptible.ts';
import type { BlobWriteOptions, BlobWritten } from './port.ts';
import { s3Error, s3Status } from './s3-error.ts';

/** A prefix of a bucket. */
export interface S3Target {
  client: S3Client;
  bucket: string;
  prefix: string;
}

interface S3Object extends S3Target {
  key: string;
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: at most 10,000 parts of at least 5 MiB.
const PARTS_MAX = 10_000;
const PART_BYTES = 8 * 1024 * 1024;
// What a write holds in memory is this many parts and the one being filled.
const PARTS_IN_FLIGHT_MAX = 3;
const ABORT_TIMEOUT_MS = 10_000;

/** Writes an object in one request, or in parts when it is larger than one; it is visible when it is whole or never. */
export async function writeObject(
  object: S3Object,
  source: AsyncIterable<Uint8Array>,
  options: BlobWriteOptions,
): Promise<BlobWritten> {
  const partBytes = Math.max(PART_BYTES, Math.ceil((options.sizeBytes ?? 0) / PARTS_MAX));
  const parts = inParts(interruptible(source, options.signal), partBytes, options.sizeBytes);
  try {
    const { value: first = Buffer.alloc(0), done } = await parts.next();
    // A part that is not full is the last.
    if (done === true || first.length < partBytes) return await putWhole(object, first, options);
    return await putInParts(object, { first, rest: parts }, options);
  } finally {
    await parts.return();
  }
}

async function putWhole(object: S3Object, body: Buffer, options: BlobWriteOptions): Promise<BlobWritten> {
  const command = new PutObjectCommand({ ...nameOf(object), ...conditionOf(options), Body: body });
  try {
    await object.client.send(command, requestOptions(options.signal));
    return { kind: 'written', sizeBytes: body.length };
  } catch (error) {
    if (await isThere(object, error, options)) return { kind: 'exists' };
    throw s3Error(error, `writing ${object.key}`, options.signal);
  }
}

async function putInParts(
  object: S3Object,
  parts: { first: Buffer; rest: AsyncIterable<Buffer> },
  options: BlobWriteOptions,
): Promise<BlobWritten> {
  const upload = await beginUpload(object, options);
  try {
    const sent = await sendParts(upload, parts, options.signal);
    if (await completeUpload(upload, sent.parts, options))
      return { kind: 'written', sizeBytes: sent.sizeBytes };
  } catch (error) {
    await abortUpload(upload);
    throw error;
  }
  await abortUpload(upload);
  return { kind: 'exists' };
}

interface Upload {
  object: S3Object;
  name: { Bucket: string; Key: string; UploadId: string };
}

async function beginUpload(object: S3Object, options: BlobWriteOptions): Promise<Upload> {
  try {
    const command = new CreateMultipartUploadCommand(nameOf(object));
    const { UploadId } = await object.client.send(command, requestOptions(options.signal));
    if (UploadId === undefined) throw coded('STORE_UNAVAILABLE', 'S3 began an upload without an id');
    return { object, name: { ...nameOf(object), UploadId } };
  } catch (error) {
    throw s3Error(error, `writing ${object.key}`, options.signal);
  }
}

/** Makes the parts an object; false when another writer's is there and is to stay. */
async function completeUpload(
  upload: Upload,
  parts: CompletedPart[],
  options: BlobWriteOptions,
): Promise<boolean> {
  const { object, name } = upload;
  const input = { ...name, ...conditionOf(options), MultipartUpload: { Parts: parts } };
  try {
    await object.client.send(new CompleteMultipartUploadCommand(input), requestOptions(options.signal));
    return true;
  } catch (error) {
    if (await isThere(object, error, options)) return false;
    throw s3Error(error, `writing ${object.key}`, options.signal);
  }
}

/** Sends parts, a few at a time; waits for all that were begun, so that none arrives after an abort. */
async function sendParts(
  upload: Upload,
  source: { first: Buffer; rest: AsyncIterable<Buffer> },
  signal: AbortSignal | undefined,
): Promise<{ parts: CompletedPart[]; sizeBytes: number }> {
  const sending: Promise<CompletedPart>[] = [];
  let sizeBytes = 0;
  const send = async (body: Buffer): Promise<void> => {
    if (sending.length === PARTS_MAX)
      throw coded('VALUE_TOO_LARGE', 'announce the size of a blob over 80 GB');
    sizeBytes += body.length;
    const part = sendPart(upload, { body, number: sending.length + 1, signal });
    // Its failure is met below; until then it is no unhandled one.
    part.catch(() => undefined);
    sending.push(part);
    await sending.at(-PARTS_IN_FLIGHT_MAX);
  };
  try {
    await send(source.first);
    for await (const body of source.rest) await send(body);
    return { parts: await Promise.all(sending), sizeBytes };
  } finally {
    await Promise.allSettled(sending);
  }
}

async function sendPart(
  upload: Upload,
  part: { body: Buffer; number: number; signal: AbortSignal | undefined },
): Promise<CompletedPart> {
  const { body, number, signal } = part;
  try {
    const command = new UploadPartCommand({ ...upload.name, PartNumber: number, Body: body });
    const { ETag } = await upload.object.client.send(command, requestOptions(signal));
    return { PartNumber: number, ...(ETag !== undefined && { ETag }) };
  } catch (error) {
    throw s3Error(error, `writing part ${String(number)} of ${upload.object.key}`, signal);
  }
}

/** Lets S3 forget the parts. Where even that fails, the bucket's own rule for unfinished uploads has to. */
async function abortUpload(upload: Upload): Promise<void> {
  try {
    const abortSignal = AbortSignal.timeout(ABORT_TIMEOUT_MS);
    await upload.object.client.send(new AbortMultipartUploadCommand(upload.name), { abortSignal });
  } catch {
    // The failure that led here is the one to tell.
  }
}

/** Whether a write failed because another writer's blob is there, which with `ifAbsent` is no failure. */
async function isThere(object: S3Object, error: unknown, options: BlobWriteOptions): Promise<boolean> {
  const status = s3Status(error);
  if (options.ifAbsent !== true || (status !== 412 && status !== 409)) return false;
  if (status === 412) return true;
  // 409: another conditional write was under way just then.
  const head = object.client.send(new HeadObjectCommand(nameOf(object)));
  return await head.then(
    () => true,
    () => false,
  );
}

/** The source in blocks of one size, the last one smaller; holds it to the announced size. */
async function* inParts(
  source: AsyncIterable<Uint8Array>,
  partBytes: number,
  announced: number | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  let chunks: Uint8Array[] = [];
  let chunksBytes = 0;
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (announced !== undefined && sizeBytes > announced) throw mismatch(announced, sizeBytes);
    chunks.push(chunk);
    chunksBytes += chunk.length;
    if (chunksBytes < partBytes) continue;
    const bytes = Buffer.concat(chunks);
    const wholeBytes = bytes.length - (bytes.length % partBytes);
    for (let at = 0; at < wholeBytes; at += partBytes) yield bytes.subarray(at, at + partBytes);
    chunks = [bytes.subarray(wholeBytes)];
    chunksBytes = bytes.length - wholeBytes;
  }
  if (announced !== undefined && sizeBytes !== announced) throw mismatch(announced, sizeBytes);
  if (chunksBytes > 0) yield Buffer.concat(chunks);
}

function mismatch(announced: number, cameBytes: number): Error {
  return coded('SIZE_MISMATCH', `${String(announced)} bytes were announced, ${String(cameBytes)} came`);
}

function nameOf(object: S3Object): { Bucket: string; Key: string } {
  return { Bucket: object.bucket, Key: object.key };
}

function conditionOf(options: BlobWriteOptions): { IfNoneMatch?: string } {
  return options.ifAbsent === true ? { IfNoneMatch: '*' } : {};
}

function requestOptions(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}
