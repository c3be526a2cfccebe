/** Version of the layout of the data directory. */
export const dataFormatVersion = 1;
/** The services whose file is a ledger; all others keep records. */
export const ledgerServices: ReadonlySet<string> = new Set(['audit']);
/** Whose data it is, as format.json says. */
export const dataKind = 'control-plane';
