import { spawnSync } from 'node:child_process';

const marker = 'NEARCAST_BENCH_NETWORK';
// Loopback does not lose: a congestion control that paces, as BBR does, would be all that is measured. A network namespace may
// not choose a default that the machine restricts, but a route may.
const prepare =
  'ip link set lo up && ip route replace local 127.0.0.1 dev lo proto kernel scope host src 127.0.0.1 table local congctl cubic';

/**
 * Runs this program again in a network namespace of its own, with cubic, where that is permitted.
 *
 * @returns what to tell about the network; does not return where the program was run again.
 */
export function enterOwnNetwork(): string {
  const inherited = process.env[marker];
  if (inherited !== undefined) return inherited;
  for (const rights of [['--net'], ['--net', '--map-root-user']]) {
    if (spawnSync('unshare', [...rights, 'sh', '-c', prepare]).status !== 0) continue;
    const note = 'Network: loopback in a namespace of its own, cubic.';
    const script = `${prepare} && exec "$0" "$@"`;
    const { status, signal } = spawnSync(
      'unshare',
      [...rights, 'sh', '-c', script, process.execPath, ...process.argv.slice(1)],
      { stdio: 'inherit', env: { ...process.env, [marker]: note } },
    );
    process.exit(signal === null ? (status ?? 1) : 1);
  }
  return 'Network: the loopback of the machine with its congestion control, since a namespace was not permitted.';
}
