// Does `argv[4]` in the world in `argv[2]`, and kills itself with SIGKILL at the moment `argv[5]`.
import { openWorld } from '../control-plane/support/procedures-world.ts';

const [dir = '', stripeUrl = '', what = '', moment = '', about = ''] = process.argv.slice(2);
const world = await openWorld({
  ...{ dir, stripeUrl },
  around: async (now) => {
    if (what === 'plan-refused' && now === 'paid-plan-change plan do before') await end(about);
    if (now !== moment) return;
    process.kill(process.pid, 'SIGKILL');
    // Nothing more is done until the signal has come.
    await new Promise(() => undefined);
  },
});

async function end(id: string): Promise<void> {
  const { once, subscriptions } = world.billing;
  const ask = { caller: 'somebody else', key: 'end', request: id, subscription: id };
  await once(ask, (batch) => subscriptions.cancel(batch, id, 'now'));
}

const acts: Readonly<Record<string, () => Promise<unknown>>> = {
  'sign-up': () => world.signUp(),
  'sign-up-refused': () => world.signUp({ coupon: 'unknown' }),
  plan: () => world.changePlan(about),
  'plan-refused': () => world.changePlan(about),
  erase: () => world.privacy.erase(about),
};
await acts[what]?.().catch(() => undefined);
process.exit(3);
