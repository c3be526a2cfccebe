import { existsSync } from 'node:fs';

import { chromium, type Browser } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why a test in the browser cannot run here; false where it can. */
export const browserMissing = existsSync(executablePath)
  ? false
  : 'chromium is not installed: apt-get install chromium';

/** Debian's Chromium, headless and with sound muted, on a screen that shows HDR where that is wanted. */
export async function openBrowser({ screen = 'sdr' }: { screen?: 'sdr' | 'hdr' } = {}): Promise<Browser> {
  const args = ['--autoplay-policy=no-user-gesture-required', '--mute-audio', '--disable-dev-shm-usage'];
  if (screen === 'hdr') args.push('--force-color-profile=hdr10');
  // Chromium has no sandbox to offer to root.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return await chromium.launch({ executablePath, args });
}
