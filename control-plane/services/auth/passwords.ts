import { hash, verify } from '@node-rs/argon2';
import { Limiter } from '../../../common/core/limiter.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { coded } from '../../../common/runtime/errors.ts';

/** Hashes passwords and checks them, a few at a time. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Whether the password is the one that was hashed. Takes as long without a hash: nobody learns who has an account. */
  check(password: string, held: string | undefined): Promise<boolean>;
}

// OWASP's second choice for argon2id, RFC 9106 §4 with less memory: about 20 ms of one core.
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
// Each takes 19 MiB and a core for its time.
const runsMax = 2;
const waitingMax = 64;

/** Makes the passwords' keeper. Errors of both: OVERLOADED when too many wait. */
export function createPasswords({ chance }: { chance: Chance }): Passwords {
  const limiter = new Limiter({ runsMax });
  let waiting = 0;
  let nobody: Promise<string> | undefined;
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= waitingMax)
      throw coded('OVERLOADED', { detail: 'too many sign in at once', retryAfterMs: 2000 });
    waiting++;
    try {
      return await limiter.run(work);
    } finally {
      waiting--;
    }
  };
  return {
    hash: (password) => inTurn(() => hash(normal(password), cost)),
    async check(password, held) {
      nobody ??= hash(chance.bytes(32).toString('base64url'), cost);
      const hashed = held ?? (await nobody);
      const isRight = await inTurn(() => verify(hashed, normal(password)));
      return isRight && held !== undefined;
    },
  };
}

// The same characters typed on two keyboards are one password (RFC 8265 §4.2).
function normal(password: string): string {
  return password.normalize('NFKC');
}
