import { useCallback, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';

import type { RevenueReport } from '../../common/contract/usage.ts';
import { useRevenueQuery } from '../shared/api.ts';
import { explainFailure } from '../shared/failure.ts';
import { formatCount } from '../shared/format.ts';
import { axis, PlotBox, plotHeightPx } from './plot-box.tsx';
import { formatMoney, monthLabels, revenueIn } from './revenue-scale.ts';
import { Table, type Column } from './table.tsx';

type Month = RevenueReport['months'][number];

const spans = [12, 24, 60];
const colours = { revenue: '#56b4e9', began: '#2aa57c', ended: '#de6a34' };
/** Room for a month's bar on both sides of its place. */
const halfMonth = 0.6;

/** Revenue by currency and who came and went, by month. It is counted from all books, so only when somebody opens it. */
export function RevenueSection() {
  const [isOpen, setOpen] = useState(false);
  const [months, setMonths] = useState(spans[0] ?? 12);
  const { data: report, error } = useRevenueQuery(
    { months },
    { skip: !isOpen, refetchOnMountOrArgChange: true },
  );
  return (
    <section className="panel" aria-labelledby="revenue">
      <details
        onToggle={({ currentTarget }) => {
          setOpen(currentTarget.open);
        }}
      >
        <summary>
          <h2 id="revenue">Revenue and churn</h2>
        </summary>
        {error !== undefined && <p className="error">{explainFailure(error, { hasToken: true }).text}</p>}
        {isOpen && report === undefined && error === undefined && <p className="dim">Counting the books …</p>}
        {report !== undefined && <Report report={report} span={months} onSpan={setMonths} />}
      </details>
    </section>
  );
}

interface ReportProps {
  readonly report: RevenueReport;
  readonly span: number;
  readonly onSpan: (months: number) => void;
}

function Report({ report, span, onSpan }: ReportProps) {
  const { months, currencies } = report;
  const [chosen, setChosen] = useState<string>();
  const shown = currencies.find(({ currency }) => currency === chosen) ?? currencies[0];
  if (months.every(({ before, began }) => before + began === 0))
    return <p className="dim">Nobody has subscribed in these months.</p>;
  return (
    <>
      <form className="scope" aria-label="Which revenue">
        <label>
          months{' '}
          <select
            value={span}
            onChange={({ target }) => {
              onSpan(Number(target.value));
            }}
          >
            {spans.map((count) => (
              <option key={count}>{count}</option>
            ))}
          </select>
        </label>
        {currencies.length > 1 && (
          <label>
            currency{' '}
            <select
              value={shown?.currency}
              onChange={({ target }) => {
                setChosen(target.value);
              }}
            >
              {currencies.map(({ currency }) => (
                <option key={currency}>{currency}</option>
              ))}
            </select>
          </label>
        )}
      </form>
      {shown !== undefined && <RevenuePlot months={months} currency={shown} />}
      <ChurnPlot months={months} />
      <Table
        label="Revenue by month"
        columns={columnsOf(report)}
        rows={months.toReversed()}
        keyOf={({ month }) => month}
      />
    </>
  );
}

function columnsOf({ currencies }: RevenueReport): Column<Month>[] {
  return [
    { name: 'month', cell: ({ month }) => month },
    ...currencies.map((of): Column<Month> => ({
      ...{ name: of.currency, isNumber: true, cell: (row) => formatMoney(revenueIn(row, of.currency), of) },
    })),
    { name: 'subscriptions before', isNumber: true, cell: ({ before }) => formatCount(before) },
    { name: 'began', isNumber: true, cell: ({ began }) => formatCount(began) },
    { name: 'ended', isNumber: true, cell: ({ ended }) => formatCount(ended) },
    {
      name: 'churn',
      isNumber: true,
      cell: ({ churnPercent }) => (churnPercent === undefined ? '–' : `${churnPercent.toFixed(2)} %`),
    },
  ];
}

interface RevenuePlotProps {
  readonly months: readonly Month[];
  readonly currency: RevenueReport['currencies'][number];
}

function RevenuePlot({ months, currency }: RevenuePlotProps) {
  const unit = 10 ** currency.decimals;
  const amounts = months.map((month) => revenueIn(month, currency.currency));
  const bars = useMemo(
    () => [{ label: 'revenue', colour: colours.revenue, values: amounts.map((amount) => amount / unit) }],
    [amounts, unit],
  );
  const total = amounts.reduce((sum, amount) => sum + amount, 0);
  return (
    <figure className="plot">
      <figcaption>
        <span>
          <i style={{ background: colours.revenue }} /> revenue without taxes{' '}
          <b>{formatMoney(total, currency)}</b>
        </span>
        <span className="dim when">by calendar month (UTC)</span>
      </figcaption>
      <MonthBars
        label={`Revenue in ${currency.currency} by month; the amounts are below.`}
        months={months}
        bars={bars}
      />
    </figure>
  );
}

function ChurnPlot({ months }: { months: readonly Month[] }) {
  const bars = useMemo(
    () => [
      { label: 'began', colour: colours.began, values: months.map(({ began }) => began) },
      { label: 'ended', colour: colours.ended, values: months.map(({ ended }) => -ended) },
    ],
    [months],
  );
  const sumOf = (of: (month: Month) => number) =>
    formatCount(months.reduce((sum, month) => sum + of(month), 0));
  return (
    <figure className="plot">
      <figcaption>
        <span>
          <i style={{ background: colours.began }} /> subscriptions that began{' '}
          <b>{sumOf(({ began }) => began)}</b>
        </span>
        <span>
          <i style={{ background: colours.ended }} /> ended <b>{sumOf(({ ended }) => ended)}</b>
        </span>
      </figcaption>
      <MonthBars
        label="Subscriptions that began and ended by month; the counts are below."
        months={months}
        bars={bars}
      />
    </figure>
  );
}

interface MonthBarsProps {
  readonly label: string;
  readonly months: readonly Month[];
  readonly bars: readonly {
    readonly label: string;
    readonly colour: string;
    readonly values: readonly number[];
  }[];
}

function MonthBars({ label, months, bars }: MonthBarsProps) {
  const latest = useRef(months);
  latest.current = months;
  const series = bars.map(({ label: name, colour }) => `${name} ${colour}`).join('\n');
  const make = useCallback(
    (widthPx: number) =>
      optionsOf(widthPx, {
        latest: () => latest.current,
        series: series.split('\n').map((one) => one.split(' ')),
      }),
    [series],
  );
  const data = useMemo(
    (): uPlot.AlignedData => [months.map((_month, index) => index), ...bars.map(({ values }) => [...values])],
    [months, bars],
  );
  return <PlotBox label={label} make={make} data={data} />;
}

function optionsOf(
  width: number,
  { latest, series }: { latest: () => readonly Month[]; series: readonly (readonly string[])[] },
): uPlot.Options {
  const paths = uPlot.paths.bars?.({ size: [0.7, 60] });
  return {
    ...{ width, height: plotHeightPx, legend: { show: false }, cursor: { show: false } },
    scales: {
      x: { time: false, range: () => [-halfMonth, latest().length - 1 + halfMonth] },
      y: { range: (_plot, min, max) => [Math.min(0, min * 1.08), Math.max(1, max * 1.08)] },
    },
    axes: [
      {
        ...axis,
        incrs: [1, 2, 3, 6, 12],
        space: 48,
        size: 44,
        values: (_plot, values) => monthLabels(latest(), values),
      },
      {
        ...axis,
        size: 76,
        values: (_plot, values) =>
          values.map((value) => (Number.isInteger(value) ? formatSigned(value) : String(value))),
      },
    ],
    series: [
      {},
      ...series.map(([label = '', fill = '']): uPlot.Series => ({
        ...{ label, fill, width: 0, points: { show: false } },
        ...(paths !== undefined && { paths }),
      })),
    ],
  };
}

function formatSigned(value: number): string {
  return value < 0 ? `−${formatCount(-value)}` : formatCount(value);
}
