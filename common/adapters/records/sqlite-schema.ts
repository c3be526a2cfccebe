/** Marks a file as Nearcast's records: "NCst". https://www.sqlite.org/fileformat.html#application_id */
export const APPLICATION_ID = 0x4e437374;

/** What the version of the schema is after all steps of sqlite-migrate.ts; kept in the file's user_version. */
export const SCHEMA_VERSION = 1;
