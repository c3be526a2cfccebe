import { setFlagsFromString } from 'node:v8';

// Loading a program leaves much short-lived rubbish; V8 would meet it by doubling its young generation again and again and
// keep that memory for good. `--max-semi-space-size` counts only on node's command line; the growth factor counts here too.

/** Keeps V8's young generation at its first size while the program loads: some 25 MB less for an idle process. */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Lets the young generation grow with the load from now on, as is V8's default: once the program runs, and where very much comes that
 * stays, which a small one would copy again and again.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
