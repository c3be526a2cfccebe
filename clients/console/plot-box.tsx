import { useEffect, useRef } from 'react';
import uPlot from 'uplot';

import 'uplot/dist/uPlot.min.css';

/** How high every plot is. */
export const plotHeightPx = 240;

const grid = { stroke: '#8093b040', width: 1 };

/** How the axes of every plot look. */
export const axis: uPlot.Axis = { stroke: '#8093b0', grid, ticks: grid, font: '12px system-ui, sans-serif' };

interface PlotBoxProps {
  /** For who does not see it. */
  readonly label: string;
  /** Where this is another function the plot is made anew. */
  readonly make: (widthPx: number) => uPlot.Options;
  readonly data: uPlot.AlignedData;
}

/** A plot as wide as its panel; stays the same one while its data change. */
export function PlotBox({ label, make, data }: PlotBoxProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(make(element.clientWidth), [[]], element);
    plot.current = made;
    const resize = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: plotHeightPx });
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
    };
  }, [make]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [make, data]);
  return <div ref={box} role="img" aria-label={label} />;
}
