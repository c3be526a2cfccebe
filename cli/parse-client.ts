import { InvalidArgumentError } from 'commander';

import { parseAddress } from '../common/core/ip-address.ts';

/** The value of a `--client`: an address, as it was written. @throws InvalidArgumentError */
export function parseClient(text: string): string {
  if (parseAddress(text) === undefined)
    throw new InvalidArgumentError('It is no IP address such as 203.0.113.9 or 2001:db8::9.');
  return text;
}
