import { createHmac } from 'node:crypto';
import { openCollection } from '../../common/adapters/records/collection.ts';
import type { Records } from '../../common/adapters/records/port.ts';
import { Type } from '../../common/contract/type.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { secretsEqual } from '../../common/runtime/keys.ts';
import { parseAs } from '../../common/runtime/parse.ts';

/** What one service alone can write, so that it knows it again: in forms, cookies and headers. */
export interface Seals {
  /** A seal over a text for one purpose. */
  seal(purpose: string, text: string): string;
  isSeal(purpose: string, text: string, seal: string): boolean;
}

const SecretRecord = Type.Object({ secret: Type.String({ minLength: 32, maxLength: 128 }) });
const recordKey = 'seals';

/** Opens the seals of a service, with a secret in its records that is made at the first start. */
export async function openSeals({ records, chance }: { records: Records; chance: Chance }): Promise<Seals> {
  const secrets = openCollection(records, 'secrets', (value) =>
    parseAs(SecretRecord, value, { what: 'the record of a secret', code: 'STORE_CORRUPT' }),
  );
  const held = (await secrets.get(recordKey))?.value;
  const { secret } = held ?? { secret: chance.bytes(32).toString('base64url') };
  if (held === undefined) await secrets.put(recordKey, { secret }, 0);
  const seal = (purpose: string, text: string): string =>
    createHmac('sha256', secret).update(`${purpose}\0${text}`).digest('base64url');
  return { seal, isSeal: (purpose, text, given) => secretsEqual(seal(purpose, text), given) };
}
