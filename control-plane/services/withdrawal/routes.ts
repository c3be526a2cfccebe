import { NodeId, ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import {
  WithdrawalList,
  WithdrawalReceiptRequest,
  WithdrawalView,
} from '../../../common/contract/withdrawals.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Withdrawals } from './service.ts';

const params = Type.Object({ id: ObjectId });
const viewers = ['operator', 'admin'] as const;

/** Routes of withdrawals: for operators, and for the receipts of boxes. */
export function withdrawalRoutes(app: App, { withdrawals }: { withdrawals: Withdrawals }): void {
  app.post(
    '/v1/titles/:id/withdraw',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Withdraw a title now: out of steering, its tokens revoked, its bytes deleted on every box',
        tags: ['titles'],
        params,
        response: { 200: WithdrawalView },
      },
    },
    (request) => withdrawals.withdraw(request.params.id),
  );
  app.get(
    '/v1/withdrawals',
    {
      config: { credential: viewers },
      schema: {
        summary: 'Every withdrawal, the latest first, with the boxes that have and have not confirmed it',
        tags: ['titles'],
        response: { 200: WithdrawalList },
      },
    },
    () => ({ withdrawals: withdrawals.views() }),
  );
  app.get(
    '/v1/withdrawals/:id',
    {
      config: { credential: viewers },
      schema: {
        summary: 'One withdrawal, with the signed receipts of the boxes',
        tags: ['titles'],
        params,
        response: { 200: WithdrawalView },
      },
    },
    (request) => withdrawals.view(request.params.id),
  );
  app.post(
    '/v1/withdrawals/:id/lift',
    {
      config: { credential: ['operator'] },
      schema: {
        summary:
          'Allow the files of a withdrawn title to be shown again, by a title that is made of them anew; tokens that were made before are good again',
        tags: ['titles'],
        params,
        response: { 200: WithdrawalView },
      },
    },
    (request) => withdrawals.lift(request.params.id),
  );
  receiptRoute(app, withdrawals);
}

function receiptRoute(app: App, withdrawals: Withdrawals): void {
  app.post(
    '/v1/nodes/:id/withdrawal-receipts',
    {
      config: { credential: ['node:appliance', 'node:origin'], self: 'id' },
      schema: {
        summary: "A box's signed word that nothing of a withdrawal is left on it; a repeat changes nothing",
        tags: ['nodes'],
        params: Type.Object({ id: NodeId }),
        body: WithdrawalReceiptRequest,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await withdrawals.receive(request.params.id, request.body.jws);
      return reply.code(204).send(null);
    },
  );
}
