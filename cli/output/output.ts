import { styleText } from 'node:util';

import Table from 'cli-table3';

import { createProgress, type Progress } from './progress.ts';

/** A table for people; the same facts as JSON stand beside it. */
export interface TableView {
  readonly title?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Shown instead of a table without rows. */
  readonly empty: string;
}

/** Where commands write: facts to stdout, as tables or JSON, progress and remarks to stderr. */
export interface Output {
  /** The facts as JSON when that was asked for, else what `people` prints. */
  facts(value: unknown, people: () => void): void;
  table(view: TableView): void;
  line(text: string): void;
  /** Text as it is, its line ends included. */
  raw(text: string): void;
  note(text: string): void;
  progress(label: string): Progress;
}

interface OutputOptions {
  readonly json: boolean;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Makes the output of one command. */
export function createOutput({ json, stdout, stderr }: OutputOptions): Output {
  const line = (text: string) => {
    stdout.write(`${text}\n`);
  };
  // A log or a pipe gets no colours, whatever machine it is on.
  const styled = (format: 'bold' | 'cyan', text: string) => styleText(format, text, { stream: stdout });
  return {
    facts(value, people) {
      if (json) line(JSON.stringify(value, undefined, 2));
      else people();
    },
    table(view) {
      if (view.title !== undefined) line(styled('bold', view.title));
      line(view.rows.length === 0 ? view.empty : renderTable(view, (text) => styled('cyan', text)));
    },
    line,
    raw(text) {
      stdout.write(text);
    },
    note(text) {
      stderr.write(`${text}\n`);
    },
    progress: (label) => createProgress({ label, stream: stderr }),
  };
}

function renderTable(view: TableView, heading: (text: string) => string): string {
  const none = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
  const table = new Table({
    head: view.head.map(heading),
    chars: {
      ...none,
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      right: '',
      middle: '  ',
    },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...view.rows.map((row) => row.map(visible)));
  return table
    .toString()
    .split('\n')
    .map((text) => text.trimEnd())
    .join('\n');
}

/** Names come from people and videos: a control character must not reach a terminal. */
export function visible(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\u{fffd}');
}
