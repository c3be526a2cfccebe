import { Type } from '../../common/contract/type.ts';
import { defineInterface, Nothing, type Calls, type ServiceName } from '../apart/interface.ts';

/** What a service knows of accounts. Each service that knows anything has one, and privacy is given them all. */
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

const Account = Type.Object({ accountId: Type.String({ maxLength: 200 }) });
const exportBytesMax = 64 * 1024 * 1024;
/** Erasing may ask the payment provider, and purging writes files anew. */
const eraseWaitMs = 60_000;

function personalDataOf(service: ServiceName, name: string) {
  return defineInterface({
    service,
    name: `personal-${name}`,
    verbs: {
      export: {
        ask: Account,
        answer: Type.Object({ known: Type.Optional(Type.Record(Type.String(), Type.Unknown())) }),
        isRepeatable: true,
        answerBytesMax: exportBytesMax,
      },
      erase: { ask: Account, answer: Nothing, isRepeatable: true, waitMs: eraseWaitMs },
      purge: { ask: Nothing, answer: Nothing, isRepeatable: true, waitMs: eraseWaitMs },
    },
  });
}

/** Who knows people beside sign-in, by the names of their parts of an export. */
export const personalData = {
  recommendations: personalDataOf('recommendations', 'recommendations'),
  billing: personalDataOf('billing', 'billing'),
  profiles: personalDataOf('users', 'profiles'),
  procedures: personalDataOf('billing', 'procedures'),
} as const;
type PersonalCalls = Calls<ReturnType<typeof personalDataOf>>;

/** Answers for what a service of this process knows. */
export function answerPersonal(personal: PersonalData): PersonalCalls {
  return {
    export: async ({ accountId }) => {
      const known = await personal.export(accountId);
      return known === undefined ? {} : { known: { ...known } };
    },
    erase: async ({ accountId }) => {
      await personal.erase(accountId);
      return {};
    },
    purge: async () => {
      await personal.purge();
      return {};
    },
  };
}

/** What a service knows, wherever it runs. */
export function askForPersonal(name: string, calls: PersonalCalls): PersonalData {
  return {
    name,
    export: async (accountId) => (await calls.export({ accountId })).known,
    erase: async (accountId) => {
      await calls.erase({ accountId });
    },
    purge: async () => {
      await calls.purge({});
    },
  };
}
