import type { ReactNode } from 'react';

/** The top of a page: the mark, what is shown, and to the right what can be chosen. */
export function PageHeader({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <header>
      <span className="brand">
        near<span>cast</span>
      </span>
      <h1 title={title}>{title}</h1>
      <div className="choices">{children}</div>
    </header>
  );
}
