import fc from 'fast-check';
import t from 'tap';
import { browserName } from '../../../../../control-plane/services/auth/core/browser-name.ts';

const named = (userAgent: string, hints: { brands?: string; platform?: string } = {}): string =>
  browserName({ userAgent, brands: hints.brands, platform: hints.platform });
const webKit = 'AppleWebKit/537.36 (KHTML, like Gecko)';

t.test('browsers as people call them', (t) => {
  for (const [name, userAgent] of Object.entries({
    'Firefox on Windows': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
    'Firefox on Linux': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
    'Firefox on Android': 'Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0',
    'Firefox on iPhone':
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/605.1.15',
    'Chrome on Windows': `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webKit} Chrome/142.0.0.0 Safari/537.36`,
    'Chrome on macOS': `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webKit} Chrome/142.0.0.0 Safari/537.36`,
    'Chrome on ChromeOS': `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webKit} Chrome/142.0.0.0 Safari/537.36`,
    'Chrome on Android': `Mozilla/5.0 (Linux; Android 10; K) ${webKit} Chrome/142.0.0.0 Mobile Safari/537.36`,
    'Chrome on iPad':
      'Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0 Mobile/15E148 Safari/604.1',
    'Chrome on Linux': `Mozilla/5.0 (X11; Linux x86_64) ${webKit} HeadlessChrome/142.0.0.0 Safari/537.36`,
    'Edge on Windows': `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webKit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`,
    'Edge on an Xbox': `Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) ${webKit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`,
    'Opera on Linux': `Mozilla/5.0 (X11; Linux x86_64) ${webKit} Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0`,
    'Samsung Internet on Android': `Mozilla/5.0 (Linux; Android 14; SM-S911B) ${webKit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
    'Safari on macOS':
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
    'Safari on iPhone':
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
    'Chrome on a Samsung TV': `Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) ${webKit} 94.0.4606.31/7.0 TV Chrome/94.0.4606.31 Safari/537.36`,
    'Chrome on an LG TV': `Mozilla/5.0 (Web0S; Linux/SmartTV) ${webKit} Chrome/120.0.6099.270 Safari/537.36 WebAppManager`,
    'a browser on Linux': 'Mozilla/5.0 (X11; Linux x86_64) Something/1.0',
    'a browser': 'curl/8.5.0',
  }))
    t.equal(named(userAgent), name, userAgent);
  t.end();
});

t.test('hints say what the user agent does not', (t) => {
  const chrome = `Mozilla/5.0 (X11; Linux x86_64) ${webKit} Chrome/142.0.0.0 Safari/537.36`;
  const brands = '"Chromium";v="142", "Brave";v="142", "Not_A Brand";v="99"';
  t.equal(named(chrome, { brands, platform: '"Linux"' }), 'Brave on Linux');
  t.equal(named(chrome, { brands: '"Not;A=Brand";v="8", "Chromium";v="142"' }), 'Chrome on Linux');
  t.equal(named('', { brands: '"Google Chrome";v="142"', platform: '"Chrome OS"' }), 'Chrome on ChromeOS');
  t.equal(browserName({ userAgent: undefined, brands: undefined, platform: undefined }), 'a browser');
  t.end();
});

t.test('whatever is sent, the words are ours', (t) => {
  const piece = fc.constantFrom(
    ...[
      'Firefox/1',
      'Chrome/',
      'Safari/1',
      'Version/1 ',
      'Windows NT',
      '<b>',
      '"',
      '&',
      '\\',
      '\r\n',
      '\0',
      ' on ',
      '"Brave"',
    ],
  );
  const said = fc.oneof(
    fc.string({ maxLength: 2000 }),
    fc.array(piece, { maxLength: 500 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(said, said, said, (userAgent, brands, platform) => {
      const name = browserName({ userAgent, brands, platform });
      return name.length <= 40 && /^[A-Za-z ]+$/.test(name);
    }),
  );
  const late = `${'x'.repeat(600)} Firefox/145.0`;
  t.equal(named(late), 'a browser', 'no more is read than an honest one has');
  t.end();
});
