import type { IncomingMessage, ServerResponse } from 'node:http';

import { planText, type FileRequestHeaders } from '../core/respond.ts';
import { sendHead, type ClientWatch } from './reply.ts';
import type { RequestNote } from './request-note.ts';

/** A request that is being answered, with all that belongs to it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly client: ClientWatch;
  readonly note: RequestNote;
}

/** A short text answered outside of files. */
export interface PlainText {
  readonly contentType: string;
  readonly text: string;
}

/** Who asks for metrics, as far as the request shows it. */
export interface MetricsCaller {
  readonly address: string;
  /** It came through a proxy: the address is the proxy's. */
  readonly forwarded: boolean;
  readonly authorization: string | undefined;
}

export function metricsCaller({ headers, socket }: IncomingMessage): MetricsCaller {
  return {
    address: socket.remoteAddress ?? '',
    forwarded: (headers.forwarded ?? headers['x-forwarded-for']) !== undefined,
    authorization: headers.authorization,
  };
}

/** The headers that decide about the answer. */
export function requestHeaders({ headers }: IncomingMessage): FileRequestHeaders {
  const ifRange = headers['if-range'];
  return {
    range: headers.range,
    ifMatch: headers['if-match'],
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
    ifUnmodifiedSince: headers['if-unmodified-since'],
    ifRange: Array.isArray(ifRange) ? ifRange.join(', ') : ifRange,
  };
}

export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

export function sendText({ request, response }: Exchange, { contentType, text }: PlainText): void {
  const plan = planText({ contentType, lengthBytes: Buffer.byteLength(text) });
  sendHead(response, plan, request.method === 'HEAD' ? undefined : text);
}
