// `./dev bench auth`: how long a program waits for a new token, and how many people sign in a second beside how many passwords this machine can check at all.
import { verify } from '@node-rs/argon2';
import type { Test } from 'tap';

import { hashSecret } from '../../common/runtime/keys.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createPasswords } from '../../control-plane/services/auth/passwords.ts';
import { startPlane, temporaryDir, type TestPlane } from '../control-plane/support/control-plane.ts';
import { addClient, addPerson, password, signIn } from '../control-plane/support/sign-in.ts';
import { WebClient } from '../control-plane/support/web-client.ts';
import { lessIsBetter, median, moreIsBetter, runBench, type BenchReport } from '../support/bench.ts';

const redirectUri = 'http://127.0.0.1:9/callback';
/** As many passwords as are checked at a time (passwords.ts). */
const atOnce = 2;
const unlimited = ['address', 'sign-in'].flatMap((kind) => [`--gateway-${kind}-per-second`, '1000000']);

await runBench('auth', async ({ quick, wants }): Promise<BenchReport> => {
  const ends: (() => unknown)[] = [];
  const held = { teardown: (end: () => unknown) => ends.unshift(end) } as unknown as Test;
  try {
    const plane = await startPlane(held, {
      dataDir: await temporaryDir(held),
      flags: [...unlimited, '--trusted-proxies', '127.0.0.1'],
    });
    await addPerson(plane);
    const figures = [];
    const notes = [];
    if (wants('auth.token.p99')) {
      const { p50, p99 } = await measureTokens(plane, quick ? 300 : 5000);
      figures.push(lessIsBetter({ name: 'auth.token.p99', ours: p99, peer: 'limit', theirs: 10, unit: 'ms', goal: 1 })); // prettier-ignore
      notes.push(`Refresh grants one after the other, each with the token that the one before gave: the median is ${p50.toFixed(2)} ms.`); // prettier-ignore
    }
    if (wants('auth.sign-in')) {
      const { ours, theirs } = await measureSignIns(plane, quick ? 1 : 5);
      figures.push(
        moreIsBetter({ name: 'auth.sign-in', ours, peer: 'argon2', theirs, unit: '/s', goal: 0.8 }),
      );
      notes.push(`Sign-in: the form with a password, and the same number of checks of the same hash without anything around them, ${atOnce} at a time, in turns.`); // prettier-ignore
    }
    return { figures, notes, details: { head: [], rows: [] } };
  } finally {
    for (const end of ends) await end();
  }
});

/** Renews a token many times; in milliseconds. */
async function measureTokens(plane: TestPlane, count: number): Promise<{ p50: number; p99: number }> {
  const { id } = await addClient(plane);
  const web = new WebClient(plane.url);
  const verifier = 'a'.repeat(43);
  const query = new URLSearchParams({
    ...{
      client_id: id,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid offline_access read',
    },
    ...{ code_challenge: hashSecret(verifier), code_challenge_method: 'S256', prompt: 'consent' },
  });
  const done = await signIn(web, await web.get(`/oauth/authorize?${query.toString()}`));
  const code = new URL(done.location ?? '').searchParams.get('code') ?? '';
  // Without cookies, as programs ask.
  const program = new WebClient(plane.url);
  const ask = async (fields: Record<string, string>): Promise<string> => {
    const answer = await program.post('/oauth/token', { client_id: id, ...fields }, 'application/json');
    const { refresh_token: next } = JSON.parse(answer.text) as { refresh_token?: string };
    if (next === undefined) throw new Error(answer.text);
    return next;
  };
  const first = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  };
  let refresh = await ask(first);
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const startedMs = performance.now();
    refresh = await ask({ grant_type: 'refresh_token', refresh_token: refresh });
    // The first ones load and compile what the others use.
    if (at >= count / 10) times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  return { p50: median(times), p99: times[Math.floor(times.length * 0.99)] ?? NaN };
}

/** People who sign in, and passwords that are checked, per second in each of so many rounds. */
async function measureSignIns(
  plane: TestPlane,
  rounds: number,
): Promise<{ ours: number[]; theirs: number[] }> {
  const count = 100;
  const hash = await createPasswords({ chance: createSystemChance() }).hash(password);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const forms = await Promise.all(
      Array.from({ length: count }, (_, at) => openForm(plane, round * count + at)),
    );
    const signInRate = await rateOf(count, async (at) => {
      const form = forms[at];
      const answer = await form?.web.post(form.url, { email: 'ada@example.com', password });
      if (answer?.status !== 303) throw new Error(`${String(answer?.status)} ${answer?.text ?? ''}`);
    });
    const checkRate = await rateOf(count, async () => {
      if (!(await verify(hash, password))) throw new Error('the hash is of another password');
    });
    // The first round warms up.
    if (round === 0) continue;
    ours.push(signInRate);
    theirs.push(checkRate);
  }
  return { ours, theirs };
}

/** The page that asks for a password, in a browser at an address of its own. */
async function openForm(plane: TestPlane, number: number): Promise<{ web: WebClient; url: string }> {
  const address = `10.${String(number >> 16)}.${String((number >> 8) & 255)}.${String(number & 255)}`;
  const web = new WebClient(plane.url, { 'x-forwarded-for': address });
  const { url } = await web.follow(await web.get('/account'));
  return { web, url };
}

/** How often something is done in a second, with as many at once as passwords are checked. */
async function rateOf(count: number, work: (at: number) => Promise<void>): Promise<number> {
  let next = 0;
  const startedMs = performance.now();
  await Promise.all(
    // Twice as many wait as are checked: the next is there when one is done.
    Array.from({ length: 2 * atOnce }, async () => {
      while (next < count) await work(next++);
    }),
  );
  return (1000 * count) / (performance.now() - startedMs);
}
