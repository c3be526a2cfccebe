import { encodeQR } from 'qr';
import { html, type Html } from './html.ts';

/** Modules of light around a code (ISO/IEC 18004 §6.3.8). */
const quiet = 4;

/** A text as a QR code, dark on light whatever the theme; `what` says it to those who do not see it. */
export function qrCode(text: string, what: string): Html {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: quiet });
  const size = String(rows.length);
  const dark = rows
    .flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${String(x)} ${String(y)}h1v1h-1z`] : [])))
    .join('');
  return html`<svg class="code" viewBox="0 0 ${size} ${size}" role="img" aria-label="${what}">
    <path fill="#fff" d="M0 0h${size}v${size}h-${size}z" />
    <path fill="#000" d="${dark}" />
  </svg>`;
}
