import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { acmeDir, tlsFiles, type ApplianceConfig } from '../config.ts';
import { TlsKeeper, tlsComponent, type TlsKeeperOptions } from '../engine/tls-keeper.ts';
import type { ControlLink } from '../uplink/control-link.ts';
import type { CertifiedNames } from '../uplink/reachable-at.ts';
import { certificateComponent, CertificateHolder } from './certificate-holder.ts';

interface TlsPartOptions {
  config: ApplianceConfig;
  nodeId: string;
  link: Pick<ControlLink, 'challenge'>;
  serving: TlsKeeperOptions['serving'];
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** All of a box's TLS. */
export interface TlsPart {
  /** Whom the default certificate is for; known once the components have started. */
  readonly certificate: CertifiedNames;
  /** What is wrong with the certificates. */
  reasons(): string[];
  readonly components: readonly Component[];
}

/** What keeps the box's certificates, ordered from an authority or put there by others; undefined where it speaks plain HTTP. */
export function createTls(options: TlsPartOptions): TlsPart | undefined {
  const { config } = options;
  const files = tlsFiles(config);
  if (files === undefined) return undefined;
  const keeper = new TlsKeeper({ ...options, files, h2: config.h2 });
  const holder = createHolder(options, keeper);
  return {
    get certificate() {
      return keeper.certificate;
    },
    reasons: () => [...keeper.reasons(), ...(holder?.reasons() ?? [])],
    components: [...(holder === undefined ? [] : [certificateComponent(holder)]), tlsComponent(keeper)],
  };
}

function createHolder(options: TlsPartOptions, keeper: TlsKeeper): CertificateHolder | undefined {
  const { config, nodeId, link, log } = options;
  const { directory, zone, contact } = config.acme;
  if (directory === undefined || zone === undefined) return undefined;
  return new CertificateHolder({
    ...options,
    ...{ directory, contact, name: `${nodeId}.${zone}`, dir: acmeDir(config) },
    publish: (values) => publish(link, values, log),
    onChange: () => keeper.check(),
  });
}

async function publish(link: TlsPartOptions['link'], values: readonly string[], log: Log): Promise<void> {
  const { steering, behind } = await link.challenge(values);
  if (steering === 0)
    throw coded('UNAVAILABLE', 'no steering node asks for maps, so nobody would show the challenge by DNS');
  if (behind > 0) log.warn({ steering, behind }, 'not every steering node shows the challenge');
}
