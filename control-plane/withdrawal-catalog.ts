import type { Catalog } from './services/catalog/service.ts';
import type { WithdrawalCatalog } from './services/withdrawal/ports.ts';

/** What withdrawing asks of the catalog: a title goes with its pictures and with its videos of before. */
export function withdrawalCatalog(catalog: Catalog): WithdrawalCatalog {
  return {
    withdrawable(titleId) {
      const { bundle: video, others } = catalog.withdrawable(titleId);
      const { name, bundle, files } = video;
      const pictures = catalog.artwork.bundlesOf(titleId);
      return {
        ...{ titleId, name, bundle, pictures: pictures.map((one) => one.bundle) },
        others: others.map((one) => one.bundle),
        files: [...files, ...[...others, ...pictures].flatMap((one) => one.files)],
      };
    },
    isWithdrawn: (titleId) => catalog.isWithdrawn(titleId),
    withdraw: (titleId) => catalog.withdraw(titleId),
    bundles: () => [...catalog.bundles(), ...catalog.artwork.bundles()],
  };
}
