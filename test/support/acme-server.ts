import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';

import { Agent, request } from 'undici';

import { makeCertificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import { goTool, stopChild } from './go-tool.ts';

/** An authority with a real ACME server, which asks one DNS server alone. */
export interface AcmeServer {
  readonly directory: string;
  /** What a client must trust to talk to it (NODE_EXTRA_CA_CERTS). */
  readonly caFile: string;
  /** The root of what it issues, PEM. */
  root(): Promise<string>;
  /** Of its own certificate: what a client of this process must trust. */
  readonly ca: string;
  stop(): Promise<void>;
  /** What it has said so far. */
  readonly lines: readonly string[];
}

/**
 * Starts Pebble on loopback; a sentence that says why not where it cannot be had. It refuses some nonces, as authorities do, and
 * without `dnsPort` takes every challenge for met.
 */
export async function startAcmeServer(
  t: { teardown(done: () => Promise<void>): void },
  { folder, dnsPort, lifeS }: { folder: string; dnsPort?: number; lifeS: number },
): Promise<AcmeServer | string> {
  const program = await goTool('pebble', 'github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1');
  if (!program.startsWith('/')) return program;
  const [port, managementPort] = [await freePort(), await freePort()];
  const ca = await makeCertificate(folder, { file: 'acme-ca', hosts: [], isAuthority: true });
  const own = await makeCertificate(folder, { file: 'acme', hosts: ['127.0.0.1'], issuer: ca });
  const config = join(folder, 'pebble.json');
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: own.certFile,
    privateKey: own.keyFile,
    httpPort: 1,
    tlsPort: 1,
    ocspResponderURL: '',
    profiles: { default: { description: 'the only one', validityPeriod: lifeS } },
  };
  await writeFile(config, JSON.stringify({ pebble }));
  const asks = dnsPort === undefined ? [] : ['-dnsserver', `127.0.0.1:${dnsPort}`];
  const child = spawn(program, ['-config', config, ...asks], {
    env: {
      PATH: process.env.PATH,
      PEBBLE_VA_NOSLEEP: '1',
      ...(dnsPort === undefined && { PEBBLE_VA_ALWAYS_VALID: '1' }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => stopChild(child));
  const lines: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (line.includes('ACME directory available')) resolve();
      });
    child.once('exit', () => {
      reject(new Error(`pebble ended: ${lines.join(' | ')}`));
    });
  });
  await ready;
  const dispatcher = new Agent({ connect: { ca: ca.cert } });
  t.teardown(() => dispatcher.close());
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    caFile: ca.certFile,
    ca: ca.cert,
    stop: () => stopChild(child),
    lines,
    async root() {
      const { body } = await request(`https://127.0.0.1:${managementPort}/roots/0`, { dispatcher });
      return body.text();
    },
  };
}
