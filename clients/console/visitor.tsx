import { explainFailure } from '../shared/failure.ts';
import { formatClock } from '../shared/format.ts';
import { beginSignIn, canSignIn, signOut } from '../shared/sign-in.ts';
import type { Me } from '../../common/contract/accounts.ts';

/** How the page was entered. `insecure`: over an address at which browsers let no page sign in. */
export type Entry = 'link' | 'signed-in' | 'nobody' | 'insecure';

/** Who is here, with the way out. */
export function Visitor({ me, entry }: { me: Me; entry: Entry }) {
  if (entry === 'link') return <span className="dim">by a link, to read</span>;
  const leave = async () => {
    await signOut();
    window.location.reload();
  };
  return (
    <>
      <a className="who dim" href="/account" title="Your account">
        {me.account?.name ?? me.sub} ({me.role})
      </a>
      <button type="button" onClick={() => void leave()}>
        Sign out
      </button>
    </>
  );
}

/** The way in. */
export function Welcome({ entry }: { entry: Entry }) {
  return (
    <div className="panel message">
      <p>See what your boxes hold, what they serve, and what the last fill did.</p>
      {entry === 'insecure' ? (
        <p className="advice">
          Signing in needs HTTPS, or the address 127.0.0.1 on the machine of the control plane.
        </p>
      ) : (
        <SignInButton />
      )}
      <p className="advice">
        Without an account: <code>nearcast console</code> prints a link to here that reads, for a day.
      </p>
    </div>
  );
}

function SignInButton() {
  return (
    <button type="button" className="main" onClick={() => void beginSignIn()}>
      Sign in
    </button>
  );
}

interface TroubleProps {
  readonly error: unknown;
  readonly asOfMs: number | undefined;
  /** After how long it is asked again. */
  readonly againMs: number;
}

/** What is wrong, and how old that makes what is still shown. */
export function Trouble({ error, asOfMs, againMs }: TroubleProps) {
  const { kind, text } = explainFailure(error, { hasToken: true });
  return (
    <div className="panel message error" role="alert">
      <p>{text}</p>
      {kind === 'credential' && canSignIn && <SignInButton />}
      {kind !== 'credential' && asOfMs !== undefined && (
        <p className="advice">
          What is shown below is as of {formatClock(asOfMs)}. It is asked for again every {againMs / 1000} s.
        </p>
      )}
    </div>
  );
}
