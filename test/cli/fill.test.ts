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
    await manifestWithFiles(plane, a1, title.files.length);
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
    const report = await nearcast('fill', 'report', '--appliance', 'isp-a-1', '--csv');
    t.equal(report.stdout.trim().split('\r\n').length, 2, 'a head and a box');
    t.match((await nearcast('fill', 'report', '--night', '2026-13-01')).stderr, /INVALID/);
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
