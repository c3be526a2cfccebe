import { rendezvousScore, type HashPair } from '../../common/core/rendezvous.ts';
import type { ApplianceColumns } from './view.ts';

/** The rendezvous score of an appliance for what is asked; of those that no key tells apart, the one with the highest is the best. */
export function scoreOf(
  { hashA, hashB, weights }: ApplianceColumns,
  appliance: number,
  key: HashPair,
): number {
  const hash = { a: hashA[appliance] ?? 0, b: hashB[appliance] ?? 0 };
  return rendezvousScore({ hash, weight: weights[appliance] ?? 0 }, key);
}
