import type { Agent, Dispatcher } from 'undici';
import { coded } from './errors.ts';

/** What came back, whole. */
export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly value: Buffer;
}

/**
 * Sends a request and gathers its answer by undici's callbacks: its streams and its way with signals, which are for answers of any length, take
 * as long as all the rest of a small request. Errors: UNAVAILABLE where the answer is larger than allowed; ABORTED at once when the signal
 * says so, wherever the request is; undici's own.
 */
export function exchange(
  agent: Agent,
  request: Dispatcher.DispatchOptions,
  { signal, answerBytesMax }: { signal: AbortSignal; answerBytesMax: number },
): Promise<ExchangeAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeAnswer>();
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  let status = 0;
  let headers: ExchangeAnswer['headers'] = {};
  let controller: Dispatcher.DispatchController | undefined;
  const cut = (reason: Error): void => {
    reject(reason);
    controller?.abort(reason);
  };
  const onAbort = (): void => {
    cut(coded('ABORTED'));
  };
  const end = (): void => {
    signal.removeEventListener('abort', onAbort);
  };
  agent.dispatch(request, {
    onRequestStart(started) {
      controller = started;
      if (signal.aborted) onAbort();
    },
    onResponseStart(_, code, fields) {
      // RFC 9110 §15.2: an interim answer comes before the answer.
      if (code < 200) return;
      status = code;
      headers = fields;
    },
    onResponseData(_, piece) {
      sizeBytes += piece.length;
      if (sizeBytes > answerBytesMax)
        cut(coded('UNAVAILABLE', `the answer is larger than ${answerBytesMax} bytes`));
      else pieces.push(piece);
    },
    onResponseEnd() {
      end();
      const [first] = pieces;
      resolve({ status, headers, value: first && pieces.length === 1 ? first : Buffer.concat(pieces) });
    },
    onResponseError(_, error) {
      end();
      reject(error);
    },
  });
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort);
  return promise;
}
