import type { Page } from 'playwright-core';

import { pageFaults } from './page-faults.ts';

// A phone at 400 % (WCAG 2.2, 1.4.10), and a desk.
const widths = [320, 1280];

/** Tells what is wrong with a page on narrow and wide screens, by day, by night and in colours that the system forces on it. */
export async function lookAt(page: Page, tell: (faults: string[], how: string) => void): Promise<void> {
  for (const width of widths)
    for (const [colorScheme, forcedColors] of [
      ['light', 'none'],
      ['dark', 'none'],
      ['dark', 'active'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, forcedColors });
      const how = `${width} px, ${colorScheme}${forcedColors === 'active' ? ', forced' : ''}`;
      tell(await page.evaluate<string[]>(pageFaults), how);
    }
}
