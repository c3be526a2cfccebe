import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { certificateDir, tlsFiles, type ApplianceConfig } from '../config.ts';
import { TlsKeeper, tlsComponent, type TlsKeeperOptions } from '../engine/tls-keeper.ts';
import type { CertifiedNames } from '../uplink/reachable-at.ts';
import {
  certificateComponent,
  CertificateHolder,
  type CertificateHolderOptions,
} from './certificate-holder.ts';

interface TlsPartOptions {
  config: ApplianceConfig;
  link: CertificateHolderOptions['link'];
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

/** What keeps the box's certificates, its own or put there by others; undefined where it speaks plain HTTP. */
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

function createHolder(
  { config, link, clock, log }: TlsPartOptions,
  keeper: TlsKeeper,
): CertificateHolder | undefined {
  if (!config.tls.auto) return undefined;
  return new CertificateHolder({
    dir: certificateDir(config),
    link,
    onChange: () => keeper.check(),
    clock,
    log,
  });
}
