/** The network that an address stands for where acts are told and tries at one account are counted: all of IPv4, of IPv6 the first 64 bits, which one line has. */
export function networkOf(address: string): string {
  return firstGroups(address, 4);
}

/** The same where it is counted what one customer does to many accounts: of IPv6 the first 48 bits, of whose 65,536 networks anybody may rent all. */
export function customerOf(address: string): string {
  return firstGroups(address, 3);
}

function firstGroups(address: string, count: number): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.split('::', 2);
  const front = head === '' ? [] : head.split(':');
  const back = tail === '' ? [] : tail.split(':');
  const gap = plain.includes('::') ? Array.from({ length: 8 - front.length - back.length }, () => '0') : [];
  return [...front, ...gap, ...back]
    .slice(0, count)
    .map((part) => part.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':');
}
