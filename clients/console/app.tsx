import { useState, type ReactNode } from 'react';

import { useMeQuery, useNodesQuery, useStatusQuery, useTitlesQuery } from '../shared/api.ts';
import { Facts } from '../shared/facts.tsx';
import { formatClock, formatCount } from '../shared/format.ts';
import { PageHeader } from '../shared/page-header.tsx';
import type { Me } from '../../common/contract/accounts.ts';
import type { StatusView } from '../../common/contract/status.ts';
import { FillSection } from './fill-section.tsx';
import { NodesTable } from './nodes-table.tsx';
import { Pager } from './pager.tsx';
import { RevenueSection } from './revenue-section.tsx';
import { TitlesTable } from './titles-table.tsx';
import { Trouble, Visitor, Welcome, type Entry } from './visitor.tsx';

const pollMs = 2000;
const pageLength = 50;
const polling = { pollingInterval: pollMs, skipPollingIfUnfocused: true, refetchOnFocus: true };

/** The console: what the role of whoever is here may see of the network's health, the titles, and the last fill. */
export function App({ entry }: { entry: Entry }) {
  const isIn = entry === 'link' || entry === 'signed-in';
  const me = useMeQuery(undefined, { ...polling, skip: !isIn });
  return (
    <>
      <PageHeader title="console">
        {me.data !== undefined && <Visitor me={me.data} entry={entry} />}
      </PageHeader>
      <main className="console">
        {!isIn && <Welcome entry={entry} />}
        {me.error !== undefined && (
          <Trouble error={me.error} asOfMs={me.fulfilledTimeStamp} againMs={pollMs} />
        )}
        {me.data !== undefined && <Views me={me.data} isHeard={me.error === undefined} />}
        {isIn && me.error === undefined && me.data === undefined && (
          <p className="dim">Asking the control plane …</p>
        )}
      </main>
    </>
  );
}

/** What a role may see. */
function Views({ me, isHeard }: { me: Me; isHeard: boolean }) {
  if (me.role === 'admin' || me.role === 'operator') return <Network isHeard={isHeard} />;
  if (me.role === 'partner') return <OwnBoxes isHeard={isHeard} />;
  return (
    <div className="panel message">
      <p>Your account watches titles; there is nothing of the network for it to see here.</p>
    </div>
  );
}

function Network({ isHeard }: { isHeard: boolean }) {
  const status = useStatusQuery(undefined, polling);
  // Where the pages that were turned begin.
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const after = cursors.at(-1);
  const titles = useTitlesQuery({ limit: pageLength, ...(after !== undefined && { after }) }, polling);
  const failing = [status, titles].find(({ error }) => error !== undefined);
  return (
    <>
      {isHeard && failing !== undefined && (
        <Trouble error={failing.error} asOfMs={failing.fulfilledTimeStamp} againMs={pollMs} />
      )}
      {status.data !== undefined && <Glance status={status.data} />}
      {status.data !== undefined && (
        <FillSection nodes={status.data.nodes} pollMs={pollMs} isOneSite={false} />
      )}
      {status.data !== undefined && (
        <Section id="nodes" title="Nodes">
          <NodesTable nodes={status.data.nodes} />
        </Section>
      )}
      {titles.data !== undefined && (
        <Section id="titles" title="Titles">
          <TitlesTable titles={titles.data.titles} />
          <Pager
            shown={titles.data.titles.length}
            next={titles.isFetching ? undefined : titles.data.next}
            {...{ cursors, pageLength }}
            onTurn={setCursors}
          />
        </Section>
      )}
      {status.data !== undefined && <RevenueSection />}
    </>
  );
}

/** A partner's view: the boxes of its sites, and what they filled. */
function OwnBoxes({ isHeard }: { isHeard: boolean }) {
  const { data, error, fulfilledTimeStamp } = useNodesQuery(undefined, polling);
  return (
    <>
      {isHeard && error !== undefined && (
        <Trouble error={error} asOfMs={fulfilledTimeStamp} againMs={pollMs} />
      )}
      {data !== undefined && (
        <Section id="nodes" title="Your boxes">
          <NodesTable nodes={data.nodes} />
        </Section>
      )}
      {data !== undefined && data.nodes.length > 0 && (
        <FillSection nodes={data.nodes} pollMs={pollMs} isOneSite />
      )}
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
          ['version', status.version],
        ]}
      />
    </section>
  );
}
