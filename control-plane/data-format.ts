/** Version of the layout of the data directory. */
export const dataFormatVersion = 1;
const storeKinds: ReadonlyMap<string, 'audit-log' | 'viewing'> = new Map([
  ['audit', 'audit-log'],
  ['viewing', 'viewing'],
]);
/** What kind of store a service's file is. */
export function storeKindOf(service: string): 'audit-log' | 'records' | 'viewing' {
  return storeKinds.get(service) ?? 'records';
}
/** Whose data it is, as format.json says. */
export const dataKind = 'control-plane';
