// `./dev bench gateway`: what passing a request on costs, beside nginx as the proxy; whether viewers still start to play while twelve times the ordinary load browses, and how soon it is over.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { lessIsBetter, moreIsBetter, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { measureOverload, shareAnswered, type OverloadRun } from './gateway/overload.ts';
import { measureProxy, type ProxyRun } from './gateway/proxy.ts';
import { buildHttpLoad } from './http-load/http-load.ts';

const head = ['load', 'who', 'answered', 'refused', 'failed', 'not sent', 'p50 ms', 'p99 ms', 'max ms'];

await runBench('gateway', async ({ quick, wants }): Promise<BenchReport> => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-gateway-'));
  try {
    const tools = { folder, load: await buildHttpLoad(folder) };
    const wantsAny = (names: readonly string[]): boolean => names.some(wants);
    const proxy = wantsAny(['gateway.added.median', 'gateway.rps.nginx'])
      ? await measureProxy(tools, quick ? { rounds: 1, seconds: 2 } : { rounds: 5, seconds: 8 })
      : undefined;
    const overload = wantsAny(['gateway.overload.playback', 'gateway.overload.recover'])
      ? await measureOverload(tools, { seconds: quick ? 3 : 20 })
      : undefined;
    const figures = [...(proxy ? proxyFigures(proxy) : []), ...(overload ? overloadFigures(overload) : [])];
    return {
      figures: figures.filter(({ name }) => wants(name)),
      notes: [...(proxy ? proxyNotes(proxy) : []), ...(overload ? overloadNotes(overload) : [])],
      details: { head, rows: overload ? overloadRows(overload) : [] },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

function proxyFigures({ rps, latency }: ProxyRun): Figure[] {
  const addedMs = (latency.ours.p50Us - latency.direct.p50Us) / 1000;
  return [
    lessIsBetter({
      name: 'gateway.added.median',
      ours: addedMs,
      peer: 'limit',
      theirs: 0.3,
      unit: 'ms',
      goal: 1,
    }),
    moreIsBetter({ name: 'gateway.rps.nginx', ours: rps.ours, peer: 'nginx', theirs: rps.nginx, unit: '/s', goal: 0.35 }), // prettier-ignore
  ];
}

function proxyNotes({ latency, rate, cpuUs }: ProxyRun): string[] {
  const ms = (us: number): string => (us / 1000).toFixed(2);
  const of = ({ p50Us, p99Us }: ProxyRun['latency']['ours']): string => `${ms(p50Us)} (p99 ${ms(p99Us)})`;
  return [
    `Proxying: answers of 1 KB by a service that does nothing, one core for the proxy; the whole chain of filters is in force, with rates that nobody reaches.`,
    `An answer costs the gateway ${cpuUs.ours.toFixed(0)} µs of processor time, nginx ${cpuUs.nginx.toFixed(0)}.`,
    `At ${rate}/s the median is ${of(latency.direct)} ms asked directly, ${of(latency.ours)} through the gateway, ${of(latency.nginx)} through nginx.`,
  ];
}

function overloadFigures({ playback, recoverSeconds }: OverloadRun): Figure[] {
  const limit = { peer: 'limit', goal: 1 };
  return [
    moreIsBetter({ ...limit, name: 'gateway.overload.playback', ours: playback, theirs: 0.994, unit: 'of requests' }), // prettier-ignore
    lessIsBetter({ ...limit, name: 'gateway.overload.recover', ours: recoverSeconds, theirs: 30, unit: 's' }),
  ];
}

function overloadNotes({ capacity, ordinary, during }: OverloadRun): string[] {
  return [
    `Overload: a whole control plane on one core, which lists 20 titles to ${capacity.toFixed(0)} viewers a second; a quarter of that is its ordinary load.`,
    `At twelve times ${ordinary.toFixed(0)}/s, ${(100 * shareAnswered(during.browse)).toFixed(0)} % of the requests to browse were answered, and of the others those refused with 429 that one of 256 connections was free for; viewers began to play 20 times a second, the slowest in ${(during.play.maxUs / 1000).toFixed(0)} ms.`,
  ];
}

function overloadRows({ before, during }: OverloadRun): string[][] {
  return Object.entries({ ordinary: before, 'twelve times': during }).flatMap(([load, pair]) =>
    Object.entries(pair).map(([who, turn]) => [
      ...[load, who, ...[turn.answered, turn.refused, turn.failed, turn.dropped].map(String)],
      ...[turn.p50Us, turn.p99Us, turn.maxUs].map((us) => (us / 1000).toPrecision(3)),
    ]),
  );
}
