import t from 'tap';

import { deviceOf } from '../../../../../control-plane/services/events/core/device.ts';

t.test('what a user agent runs on', async (t) => {
  for (const [agent, kind] of [
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0', 'desktop'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15', 'desktop'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'desktop'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148', 'phone'],
    ['Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/142.0 Mobile Safari/537.36', 'phone'],
    ['Mozilla/5.0 (Linux; Android 15; SM-X910) Chrome/142.0 Safari/537.36', 'tablet'],
    ['Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X)', 'tablet'],
    ['Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) Chrome/108', 'tv'],
    ['Mozilla/5.0 (Web0S; Linux/SmartTV) Chrome/120', 'tv'],
    ['curl/8.5.0', 'other'],
    ['', 'other'],
    [undefined, 'other'],
  ] as const)
    t.equal(deviceOf(agent), kind, agent ?? 'none');
});
