/** What a service knows of accounts. Each service that knows anything has one, and main.ts names them all to privacy. */
export interface PersonalData {
  /** The service, as an export names its part. */
  readonly name: string;
  /** All that it knows of an account, as JSON; undefined for nothing. */
  export(accountId: string): Promise<object | undefined>;
  /** Removes all of it. Called again after a crash, so what is not there any more does no harm. */
  erase(accountId: string): Promise<void>;
  /** Sees to it that what was erased is in no file. */
  purge(): Promise<void>;
}
