import type { Catalog } from './services/catalog/service.ts';
import type { WithdrawalCatalog } from './services/withdrawal/ports.ts';

/** What withdrawing asks of the catalog: a title goes with its pictures. */
export function withdrawalCatalog(catalog: Catalog): WithdrawalCatalog {
  return {
    withdrawable(titleId) {
      const { name, bundle, files } = catalog.withdrawable(titleId);
      const pictures = catalog.artwork.bundlesOf(titleId);
      return {
        ...{ titleId, name, bundle, pictures: pictures.map((one) => one.bundle) },
        files: [...files, ...pictures.flatMap((one) => one.files)],
      };
    },
    isWithdrawn: (titleId) => catalog.isWithdrawn(titleId),
    withdraw: (titleId) => catalog.withdraw(titleId),
    bundles: () => [...catalog.bundles(), ...catalog.artwork.bundles()],
  };
}
