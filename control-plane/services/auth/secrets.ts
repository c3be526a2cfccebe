import { createHmac } from 'node:crypto';
import type { Chance } from '../../../common/runtime/chance.ts';
import { secretsEqual } from '../../../common/runtime/keys.ts';
import type { AuthRecords } from './records.ts';

/** What this control plane alone can write, so that it knows it again: for forms and cookies. */
export interface Seals {
  /** A seal over a text for one purpose. */
  seal(purpose: string, text: string): string;
  isSeal(purpose: string, text: string, seal: string): boolean;
  /** Keys that sign the cookies of OAuth. */
  cookieKeys: readonly string[];
}

const recordKey = 'seals';

/** Opens the seals, with a secret that is made at the first start. */
export async function openSeals({
  records,
  chance,
}: {
  records: AuthRecords;
  chance: Chance;
}): Promise<Seals> {
  const held = (await records.secrets.get(recordKey))?.value;
  const { secret } = held ?? { secret: chance.bytes(32).toString('base64url') };
  if (held === undefined) await records.secrets.put(recordKey, { secret }, 0);
  const seal = (purpose: string, text: string): string =>
    createHmac('sha256', secret).update(`${purpose}\0${text}`).digest('base64url');
  return {
    seal,
    isSeal: (purpose, text, given) => secretsEqual(seal(purpose, text), given),
    cookieKeys: [seal('cookies', '')],
  };
}
