import { parseAddress, type Address } from '../../common/core/ip-address.ts';
import { coded } from '../../common/runtime/errors.ts';

/** What is answered until the first map. */
export function noMap() {
  return coded('UNAVAILABLE', { detail: 'steering has no map yet', retryAfterMs: 1000 });
}

/** A client's address that was sent as text. @throws INVALID */
export function mustParse(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw coded('INVALID', `${text} is not an IP address`);
  return address;
}
