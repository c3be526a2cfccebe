import t from 'tap';

import { addTitle } from '../control-plane/support/add-title.ts';
import { manifestWithFiles, startFleet } from '../control-plane/support/fleet.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test(
  'fill and withdrawal from the command line: tables, JSON, CSV, and exit codes',
  { timeout: 120_000 },
  async (t) => {
    // The commands take their time, and the fleet says nothing meanwhile.
    const { plane, encoder, a1 } = await startFleet(t, ['--lease-ms', '120000']);
    const title = await addTitle(plane, encoder, { name: 'A "film", once' });
    const { sequence } = await manifestWithFiles(plane, a1, title.files.length);
    const nearcast = nearcastCli(plane);

    const set = ['--site', 'isp-a', '--time-zone', 'Europe/Berlin', '--cap', '1.6Gbit'];
    const savings = await nearcast('report', 'savings', '--site', 'isp-a', '--days', '2');
    t.match(
      savings.stdout,
      /isp-a, \d{4}-\d\d-\d\d to .*: 0 signed reports, 0 missing\n.*\nnothing was played\n/,
    );
    t.match(await nearcast('report', 'savings', '--site', 'nowhere'), {
      code: 1,
      stderr: /no box is at nowhere/,
    });
    t.match(await nearcast('report', 'savings'), { code: 1, stderr: /site/ });
    t.match(await nearcast('report', 'qoe', '--by', 'device'), { code: 0, stdout: /No playback has told/ });
    t.match(JSON.parse((await nearcast('report', 'qoe', '--json')).stdout), {
      by: 'site',
      rows: [],
      left: 0,
    });

    const window = await nearcast('fill', 'window', '03:00-13:30', ...set);
    t.match(
      window.stdout,
      /isp-a +2 +03:00-13:30 +Europe\/Berlin +± 120 min +191 MiB\/s +– +– +95\.4 MiB\/s/,
    );
    const ofPartner = [
      '--site',
      'isp-b',
      '--partner',
      'isp',
      '--link-cap',
      'origin=80Mbit',
      '--link-cap',
      'isp-a=8Mbit',
    ];
    t.match(
      (await nearcast('fill', 'window', ...ofPartner)).stdout,
      /isp-b [^\n]* isp: none +origin: 9\.54 MiB\/s, isp-a: 977 KiB\/s/,
    );
    const capped = await nearcast('fill', 'partner', 'isp', '--cap', '40Mbit');
    t.match(capped.stdout, /isp-b +1 +4\.77 MiB\/s +4\.77 MiB\/s/);
    t.match(await nearcast('fill', 'window', '--site', 'isp-b', '--link-cap', 'origin'), { code: 64 });
    t.match(
      (await nearcast('fill', 'window', '--site', 'isp-b', '--link-cap', 'default')).stdout,
      /isp: 4\.77 MiB\/s +– /,
    );
    const back = [
      '--cap',
      'default',
      '--time-zone',
      'default',
      '--box-cap',
      'default',
      '--partner',
      'default',
    ];
    t.match(
      (await nearcast('fill', 'window', '--site', 'isp-a', ...back)).stdout,
      /isp-a +2 +at any time +– +– +none +– +– +none/,
    );
    t.match((await nearcast('fill', 'window', 'any', '--site', 'isp-a')).stdout, /at any time/);
    t.match(await nearcast('fill', 'window', '3am', '--site', 'isp-a'), { code: 64, stderr: /03am|3am/ });
    t.match(await nearcast('fill', 'window', '03:00-13:00'), { code: 1, stderr: /--site/ });
    t.match(await nearcast('fill', 'window', '--site', 'isp-a', '--time-zone', 'Mars/Base'), {
      stderr: /Mars\/Base/,
    });

    const plan = await nearcast('fill', 'plan', '--dry-run', '--site', 'isp-b');
    t.match(plan.stdout, /isp-b-1[^]*Who fetches from whom[^]*origin +origin +isp-b[^\n]* none\n[^]*Churn:/);
    const csv = await nearcast('fill', 'plan', '--dry-run', '--csv');
    t.match(
      csv.stdout,
      /^change,appliance,site,title,file,bytes,source kind,source,why\r\nadd,isp-a-1,isp-a,"A ""film"", once",/,
    );
    const nowMs = plane.clock.nowMs();
    const times = { startedAtMs: nowMs - 10_000, endedAtMs: nowMs };
    const tried = { sizeBytes: 3000, ...times, chunksVerified: 1, chunksRefused: 0, resumedBytes: 0 };
    const [one, two] = title.files;
    const outcomes = [
      {
        ...{ ...tried, file: one, outcome: 'held' },
        bytesBySource: [{ kind: 'origin', node: 'origin', bytes: 10_000 }],
      },
      {
        ...{ ...tried, file: two, outcome: 'failed', bytesBySource: [] },
        ...{ code: 'FILE_CORRUPT', detail: 'the manifest says "3000"' },
      },
    ];
    const body = { id: 'report-0001', manifestSequence: sequence, outcomes };
    const told = await a1.call('POST /v1/nodes/isp-a-1/fill-reports', { body });
    t.ok(told.status < 300, `${told.status}`);
    const report = (...argv: string[]) => nearcast('fill', 'report', ...argv);
    const lines = async (...argv: string[]): Promise<string[]> =>
      (await report(...argv)).stdout.trim().split('\r\n');
    const boxes = await lines('--appliance', 'isp-a-1', '--csv');
    t.equal(boxes.length, 2, 'a head and a box');
    t.match(boxes[1], /^isp-a-1,isp-a,[^,]+Z,[^,]+Z,\d+,\d+,0,0,1,0,0,10000,2,0,10000,1000,/);
    const missing = await lines('--site', 'isp-a', '--csv', 'missing');
    t.equal(missing.length, 1 + 2 * title.files.length, 'what two boxes lack, a line each');
    t.match(missing[1], /^isp-a-1,isp-a,"A ""film"", once",[0-9a-f]{64},\d+,[^,]*Z,.*on its way/);
    const failed = await lines('--csv', 'failed');
    const at = new Date(nowMs).toISOString();
    const why = 'FILE_CORRUPT,"the manifest says ""3000""",missing';
    t.same(failed.slice(1), [`isp-a-1,isp-a,"A ""film"", once",${two},${at},${why}`]);
    t.same((await lines('--csv', 'links')).slice(1), ['origin,origin,isp-a,1,10000,']);
    t.match(await report('--csv', 'everything'), { code: 64, stderr: /boxes, missing, failed, links/ });
    const table = await report('--site', 'isp-a');
    t.match(
      table.stdout,
      /isp-a-1 [^]*isp-a-2 [^]*Missing[^]*Failed tries[^]*FILE_CORRUPT: the manifest says/,
    );
    t.notMatch(table.stdout, /isp-b/);
    const tonight = new Date(nowMs + 6 * 3_600_000).toISOString().slice(0, 10);
    const night = await nearcast('--json', 'fill', 'report', '--night', tonight, '--site', 'isp-a');
    t.match(JSON.parse(night.stdout), {
      appliances: [{ id: 'isp-a-1', bytesByKind: { origin: 10_000 } }, {}],
    });
    t.match((await report('--night', '2026-13-01')).stderr, /INVALID/);
    const asked = ['fill', 'explain', title.id, '--appliance', 'isp-b-1'];
    t.match((await nearcast(...asked)).stdout, /A "film", once on isp-b-1[^]*origin origin[^]*on its list/);
    t.equal((await nearcast(...asked, '--csv')).stdout.trim().split('\r\n').length, 1 + title.files.length);
    const explained = await nearcast('--json', 'fill', 'explain', title.id, '--appliance', 'isp-b-1');
    t.match(JSON.parse(explained.stdout), {
      title: 'A "film", once',
      files: [{ isPlanned: true, isHeld: false }],
    });

    t.match(await nearcast('title', 'withdraw', title.id), { code: 64, stderr: /--now/ });
    const withdrawn = await nearcast('title', 'withdraw', title.id, '--now');
    t.match(withdrawn, { code: 75, stderr: /isp-a-1.*did not confirm yet/ }, 'nobody is there to confirm');
    t.match((await nearcast('title', 'withdrawals')).stdout, /isp-a-1 isp-a-2 isp-b-1 origin/);
  },
);
