import { request } from 'undici';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed JSON, or the text of anything else; undefined when there was none. */
  body: Record<string, unknown>;
  text: string;
}

export interface CallOptions {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'OPTIONS';
  headers?: Record<string, string>;
  json?: unknown;
  bytes?: Uint8Array;
}

/** One HTTP call with its whole answer. */
export async function call(
  url: string,
  { method, headers = {}, json, bytes }: CallOptions = {},
): Promise<Answer> {
  const body = json === undefined ? bytes : JSON.stringify(json);
  const answer = await request(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: body ?? null,
  });
  const text = await answer.body.text();
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: (isJson && text !== '' ? JSON.parse(text) : {}) as Record<string, unknown>,
    text,
  };
}
