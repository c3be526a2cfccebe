import { KeyObject, webcrypto } from 'node:crypto';

import type { OrderedCertificate } from './order-certificate.ts';

const lifeMs = 30 * 24 * 3_600_000;
/** Clocks of those who look at it may be behind. */
const slackMs = 3_600_000;

/** A certificate for a name that nobody vouches for: the box can listen with it, and steering sends nobody there. */
export async function selfSigned(name: string, nowMs: number): Promise<OrderedCertificate> {
  // What it is built on wants its metadata to be there first.
  await import('reflect-metadata');
  const { SubjectAlternativeNameExtension, X509CertificateGenerator } = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(nowMs - slackMs),
      notAfter: new Date(nowMs + lifeMs),
      extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
    },
    webcrypto,
  );
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return { keyPem: key, chainPem: `${certificate.toString('pem')}\n` };
}
