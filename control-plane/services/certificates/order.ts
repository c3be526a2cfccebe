import type { Client, crypto } from 'acme-client';

import { coded } from '../../../common/runtime/errors.ts';

export interface CertificateOrder {
  /** The authority's ACME directory. */
  readonly directory: string;
  /** Key of the account there, which is made at the first order. */
  readonly accountKeyPem: string;
  /** Mail address that the authority may write to. */
  readonly contact: string | undefined;
  /** The one name that the request is for. */
  readonly name: string;
  readonly csr: string;
  /** Puts these TXT records at `_acme-challenge.<name>`; none takes them back. Resolves once they are to be seen. */
  readonly publish: (values: readonly string[]) => Promise<void>;
}

interface AcmeClient {
  readonly Client: typeof Client;
  readonly crypto: typeof crypto;
}

const answerBytesMax = 1024 * 1024;
const answerMsMax = 30_000;
/** Asks for a verdict after 1 s, 2 s, 4 s and so on: for about three minutes. */
const patience = { backoffAttempts: 10, backoffMin: 1000, backoffMax: 30_000 };

/** Makes sure that a request is for this name and no other. Errors: INVALID. */
export async function checkRequest(csr: string, name: string): Promise<void> {
  const { crypto } = await loadClient();
  let names: string[];
  try {
    const { commonName, altNames } = crypto.readCsrDomains(csr);
    names = [...new Set([commonName, ...altNames].filter((each) => typeof each === 'string' && each !== ''))];
  } catch (cause) {
    throw coded('INVALID', { detail: 'this is no certificate request', cause });
  }
  if (names.length !== 1 || names[0] !== name)
    throw coded(
      'INVALID',
      `the request is for ${names.join(', ') || 'nothing'}; it must be for ${name} alone`,
    );
}

/**
 * Orders a certificate by DNS-01 (RFC 8555); @returns it with its issuers behind it, PEM. Takes minutes at most: each call to the
 * authority has an end, and so has the wait for its verdict.
 *
 * @throws ACME_ORDER_FAILED with what the authority said; whatever `publish` throws.
 */
export async function orderCertificate(order: CertificateOrder): Promise<string> {
  const { directory, accountKeyPem, contact, name, csr, publish } = order;
  const acme = await loadClient();
  const client = new acme.Client({ directoryUrl: directory, accountKey: accountKeyPem, ...patience });
  let refused: { readonly error: unknown } | undefined;
  try {
    // Asked for first, since the library would write anew to one that is there; where there is none, the order makes it.
    await client.createAccount({ onlyReturnExisting: true }).catch(() => undefined);
    return await client.auto({
      csr,
      ...(contact !== undefined && { email: contact }),
      termsOfServiceAgreed: true,
      challengePriority: ['dns-01'],
      // The zone is steering's, which says itself when it shows the records; a resolver nearby may remember that there were none.
      skipChallengeVerification: true,
      challengeCreateFn: async (_authorization, { type }, value) => {
        if (type !== 'dns-01') throw new Error(`it offers no dns-01, but ${type}`);
        await publish([value]).catch((error: unknown) => {
          refused = { error };
          throw error;
        });
      },
      challengeRemoveFn: async () => {
        await publish([]);
      },
    });
  } catch (cause) {
    if (refused !== undefined) throw refused.error;
    const said = cause instanceof Error ? cause.message : String(cause);
    throw coded('ACME_ORDER_FAILED', { detail: `${directory}, for ${name}: ${said}`, cause });
  }
}

/** The library, loaded where it is used and with bounds of its own for what an authority answers. */
async function loadClient(): Promise<AcmeClient> {
  const { default: acme } = await import('acme-client');
  acme.axios.defaults.timeout = answerMsMax;
  acme.axios.defaults.maxContentLength = answerBytesMax;
  return acme;
}
