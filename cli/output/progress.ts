import { formatBar, formatPercent } from './format.ts';

/** A progress bar; one line that is rewritten on a terminal, a line every ten per cent elsewhere. */
export interface Progress {
  update(fraction: number, detail: string): void;
  done(text: string): void;
  fail(text: string): void;
}

const barWidth = 28;
const stepShare = 0.1;

/** Makes a progress bar on a stream. */
export function createProgress({ label, stream }: { label: string; stream: NodeJS.WriteStream }): Progress {
  let shownAt = -1;
  const isTerminal = stream.isTTY;
  const write = (text: string) => {
    stream.write(isTerminal ? `\r\u001b[2K${text}` : `${text}\n`);
  };
  const end = (mark: string, text: string) => {
    write(`${mark} ${label.padEnd(12)} ${text}`);
    if (isTerminal) stream.write('\n');
  };
  return {
    update(fraction, detail) {
      if (!isTerminal && fraction - shownAt < stepShare) return;
      shownAt = fraction;
      const bar = formatBar(fraction, barWidth);
      write(`  ${label.padEnd(12)} ${bar} ${formatPercent(fraction).padStart(5)}  ${detail}`);
    },
    done: (text) => {
      end('✔', text);
    },
    fail: (text) => {
      end('✖', text);
    },
  };
}
