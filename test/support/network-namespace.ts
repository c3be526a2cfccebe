import { execFileSync } from 'node:child_process';

/** Another host as far as the network goes: a namespace that one link leads to. */
export interface NetworkNamespace {
  /** Put before a command line, it runs there. */
  readonly by: readonly string[];
  /** What the namespace is reached at, and what this side is from there. */
  readonly address: string;
  readonly ownAddress: string;
  /** The link carries nothing any more, in either direction; nobody is told. */
  cut(): void;
  mend(): void;
}

function run(...argv: string[]): void {
  execFileSync('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
}

let made = 0;

/**
 * Makes a namespace with a link of its own, taken away after the test. Returns why there is none where this user or kernel
 * does not permit it.
 */
export function makeNamespace(t: { teardown(done: () => void): void }): NetworkNamespace | string {
  const id = `${process.pid.toString(36)}${made++}`;
  const [name, inner, outer] = [`nc-${id}`, `nci${id}`, `nco${id}`];
  const net = `10.${200 + (made % 50)}.${process.pid % 256}`;
  const [address, ownAddress] = [`${net}.2`, `${net}.1`];
  const remove = (): void => {
    // What was made of it: the link goes with its namespace.
    for (const argv of [
      ['link', 'del', outer],
      ['netns', 'del', name],
    ]) {
      // prettier-ignore
      try {
        run(...argv);
      } catch {
        // It was never made.
      }
    }
  };
  try {
    run('netns', 'add', name);
    run('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner);
    run('link', 'set', inner, 'netns', name);
    run('address', 'add', `${ownAddress}/24`, 'dev', outer);
    run('link', 'set', outer, 'up');
    const there = ['-n', name];
    run(...there, 'address', 'add', `${address}/24`, 'dev', inner);
    run(...there, 'link', 'set', 'lo', 'up');
    run(...there, 'link', 'set', inner, 'up');
  } catch (error) {
    remove();
    return `network namespaces are not permitted here (${String(error).split('\n')[0] ?? ''})`;
  }
  t.teardown(remove);
  const nobody = '02:00:00:00:00:01';
  return {
    by: ['ip', 'netns', 'exec', name],
    address,
    ownAddress,
    // What is sent goes to a neighbour that is not there: the link stays up and nothing is refused, as when a switch dies.
    cut() {
      run('neigh', 'replace', address, 'lladdr', nobody, 'nud', 'permanent', 'dev', outer);
      run('-n', name, 'neigh', 'replace', ownAddress, 'lladdr', nobody, 'nud', 'permanent', 'dev', inner);
    },
    mend() {
      run('neigh', 'del', address, 'dev', outer);
      run('-n', name, 'neigh', 'del', ownAddress, 'dev', inner);
    },
  };
}
