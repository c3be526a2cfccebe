import { FileName, IpAddress, TimeMs } from '../../common/contract/primitives.ts';
import { Type } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';
import type { Brain } from '../brain.ts';
import type { HistoryPart } from '../history/history-part.ts';
import { mustParse, noMap } from './refusals.ts';

/** A recording is of no more than is kept by default. */
const spanMsMax = 48 * 3_600_000;

/** Registers what tells operators why: explanations, of now and of the past, and recordings to replay. */
export function addExplainRoutes(
  app: App,
  { brain, history }: { readonly brain: Brain; readonly history: Pick<HistoryPart, 'explainAt' | 'record'> },
): void {
  const config = { credential: ['operator', 'admin'] } as const;
  app.get(
    '/v1/explain',
    {
      config,
      schema: {
        querystring: Type.Object({
          client: IpAddress,
          bundle: Type.Optional(FileName),
          atMs: Type.Optional(TimeMs),
        }),
        summary: 'Why a client is sent where it is, or was at a time: candidates, filters, keys, answer',
      },
    },
    async (request) => {
      const { client: text, bundle, atMs } = request.query;
      if (atMs !== undefined) return await history.explainAt({ atMs, client: text, bundle });
      const reply = brain.explain({ client: mustParse(text), bundle });
      if (reply === undefined) throw noMap();
      return reply;
    },
  );
  app.get(
    '/v1/history',
    {
      config,
      schema: {
        querystring: Type.Object({ fromMs: TimeMs, toMs: TimeMs }),
        summary:
          'The sampled decisions of a time with the maps and the health they were made of, to replay (zstd)',
      },
    },
    async (request, reply) => {
      const { fromMs, toMs } = request.query;
      if (toMs < fromMs || toMs - fromMs > spanMsMax)
        throw coded('INVALID', 'toMs is at or behind fromMs, by 48 hours at most');
      const recording = await history.record({ fromMs, toMs });
      return reply.type('application/zstd').header('cache-control', 'no-store').send(recording);
    },
  );
}
