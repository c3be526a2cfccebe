import { useState } from 'react';

import type { NodeView } from '../../common/contract/nodes.ts';
import { useFillReportQuery, type FillReportScope } from '../shared/api.ts';
import { explainFailure } from '../shared/failure.ts';
import { FillPlot } from './fill-plot.tsx';
import { FillTable } from './fill-table.tsx';

interface FillSectionProps {
  /** Every node; its appliances and their sites can be chosen. */
  readonly nodes: readonly NodeView[];
  readonly pollMs: number;
  /** One site has to be chosen: who asks may not see the sum of all. */
  readonly isOneSite: boolean;
}

/** What the fill of a night did, on one box, at one site or everywhere: where bytes came from, what is missing, why, until when. */
export function FillSection({ nodes, pollMs, isOneSite }: FillSectionProps) {
  const [scope, setScope] = useState<FillReportScope>(isOneSite ? firstSiteOf(nodes) : {});
  const report = useFillReportQuery(scope, {
    pollingInterval: pollMs,
    skipPollingIfUnfocused: true,
    refetchOnFocus: true,
  });
  return (
    <section className="panel" aria-labelledby="fill">
      <h2 id="fill">{scope.night === undefined ? 'Last fill' : 'Fill'}: where the bytes came from</h2>
      <ScopeChooser nodes={nodes} scope={scope} isOneSite={isOneSite} onChange={setScope} />
      <Refused error={report.error} />
      {report.currentData !== undefined && (
        <>
          <FillPlot buckets={report.currentData.buckets} bucketMs={report.currentData.bucketMs} />
          <FillTable appliances={report.currentData.appliances} />
        </>
      )}
    </section>
  );
}

/** What was chosen cannot be shown; that the control plane is gone is said above, once for the page. */
function Refused({ error }: { error: unknown }) {
  if (error === undefined) return undefined;
  const { kind, text } = explainFailure(error, { hasToken: true });
  return kind === 'refused' ? <p className="error">{text}</p> : undefined;
}

function firstSiteOf(nodes: readonly NodeView[]): FillReportScope {
  const site = nodes.find(({ site: of }) => of !== undefined)?.site;
  return site === undefined ? {} : { site };
}

interface ChooserProps {
  readonly nodes: readonly NodeView[];
  readonly isOneSite: boolean;
  readonly scope: FillReportScope;
  readonly onChange: (scope: FillReportScope) => void;
}

function ScopeChooser({ nodes, scope, isOneSite, onChange }: ChooserProps) {
  const boxes = nodes.filter(({ role, state }) => role === 'appliance' && state !== 'revoked');
  const sites = [...new Set(boxes.flatMap(({ site }) => site ?? []))].sort();
  const here = boxes.filter(({ site }) => scope.site === undefined || site === scope.site);
  return (
    <form className="scope" aria-label="Which fill">
      <label>
        night that ended on{' '}
        <input
          type="date"
          value={scope.night ?? ''}
          onChange={({ target }) => {
            onChange(chosenOf({ ...scope, night: target.value }));
          }}
        />
      </label>
      <label>
        site{' '}
        <Choice
          values={sites}
          chosen={scope.site}
          hasAll={!isOneSite}
          onChoose={(site) => {
            // A box of another site would leave nothing to show.
            onChange(chosenOf({ ...scope, site, appliance: '' }));
          }}
        />
      </label>
      <label>
        appliance{' '}
        <Choice
          values={here.map(({ id }) => id)}
          chosen={scope.appliance}
          hasAll
          onChoose={(appliance) => {
            onChange(chosenOf({ ...scope, appliance }));
          }}
        />
      </label>
    </form>
  );
}

interface ChoiceProps {
  readonly values: readonly string[];
  readonly chosen: string | undefined;
  /** Whether none may be chosen, which is all. */
  readonly hasAll: boolean;
  readonly onChoose: (value: string) => void;
}

function Choice({ values, chosen, hasAll, onChoose }: ChoiceProps) {
  return (
    <select
      value={chosen ?? ''}
      onChange={({ target }) => {
        onChoose(target.value);
      }}
    >
      {hasAll && <option value="">all</option>}
      {values.map((value) => (
        <option key={value} value={value}>
          {value}
        </option>
      ))}
    </select>
  );
}

/** The scope with only what is chosen in it. */
function chosenOf(scope: FillReportScope): FillReportScope {
  return Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== ''));
}
