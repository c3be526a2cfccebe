import type { ReactNode } from 'react';

import { hasToken, useStatusQuery, useTitlesQuery } from '../shared/api.ts';
import { explainFailure } from '../shared/failure.ts';
import { Facts } from '../shared/facts.tsx';
import { formatClock, formatCount } from '../shared/format.ts';
import { PageHeader } from '../shared/page-header.tsx';
import type { StatusView } from '../../common/contract/status.ts';
import { FillSection } from './fill-section.tsx';
import { NodesTable } from './nodes-table.tsx';
import { TitlesTable } from './titles-table.tsx';

const pollMs = 2000;

/** The console: the network's health, the titles, and what the last fill did. */
export function App() {
  const options = {
    pollingInterval: pollMs,
    skipPollingIfUnfocused: true,
    refetchOnFocus: true,
    skip: !hasToken,
  };
  const status = useStatusQuery(undefined, options);
  const titles = useTitlesQuery(undefined, options);
  const failing = [status, titles].find(({ error }) => error !== undefined);
  return (
    <>
      <PageHeader title="console">
        {status.data !== undefined && <span className="dim">version {status.data.version}</span>}
      </PageHeader>
      <main className="console">
        {(failing !== undefined || !hasToken) && (
          <Trouble error={failing?.error} asOfMs={failing?.fulfilledTimeStamp} />
        )}
        {status.data !== undefined && <Glance status={status.data} />}
        {status.data !== undefined && <FillSection nodes={status.data.nodes} pollMs={pollMs} />}
        {status.data !== undefined && (
          <Section id="nodes" title="Nodes">
            <NodesTable nodes={status.data.nodes} />
          </Section>
        )}
        {titles.data !== undefined && (
          <Section id="titles" title="Titles">
            <TitlesTable titles={titles.data.titles} />
          </Section>
        )}
        {hasToken && failing === undefined && status.data === undefined && (
          <p className="dim">Asking the control plane …</p>
        )}
      </main>
    </>
  );
}

function Section({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section className="panel" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

/** What is wrong, and how old that makes what is still shown. */
function Trouble({ error, asOfMs }: { error: unknown; asOfMs: number | undefined }) {
  const { kind, text } = explainFailure(error, { hasToken });
  return (
    <div className="panel message error" role="alert">
      <p>{text}</p>
      {kind === 'credential' && (
        <p className="advice">
          The console opens with an admin’s link: <code>nearcast demo</code> prints one, and an operator makes
          one with <code>POST /v1/access-tokens</code>.
        </p>
      )}
      {kind !== 'credential' && asOfMs !== undefined && (
        <p className="advice">
          What is shown below is as of {formatClock(asOfMs)}. It is asked for again every {pollMs / 1000} s.
        </p>
      )}
    </div>
  );
}

function Glance({ status }: { status: StatusView }) {
  const { nodes, titles, fill } = status;
  const ready = nodes.filter(({ state }) => state === 'ready').length;
  const onTheirWay = titles.queued + titles.encoding + titles.filling;
  return (
    <section className="panel" aria-label="At a glance">
      <Facts
        facts={[
          ['nodes ready', `${formatCount(ready)} of ${formatCount(nodes.length)}`],
          ['titles live', formatCount(titles.live)],
          ['on their way', formatCount(onTheirWay)],
          ['failed', formatCount(titles.failed)],
          ['files missing', `${formatCount(fill.missingFiles)} of ${formatCount(fill.wantedFiles)}`],
          ['playbacks today', status.sessionsToday === null ? 'unknown' : formatCount(status.sessionsToday)],
          ['up since', formatClock(status.startedAtMs)],
        ]}
      />
    </section>
  );
}
