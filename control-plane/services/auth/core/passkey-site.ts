/**
 * Whether browsers make passkeys for a site: its host is a name (WebAuthn §5.1.2: a relying party's id is a domain), and over TLS unless
 * it is `localhost`.
 */
export function takesPasskeys(publicUrl: string): boolean {
  const { protocol, hostname } = new URL(publicUrl);
  const isAddress = hostname.startsWith('[') || /^\d+(\.\d+){3}$/.test(hostname);
  return !isAddress && (protocol === 'https:' || hostname === 'localhost');
}
