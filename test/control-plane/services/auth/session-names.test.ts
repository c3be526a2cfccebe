import t from 'tap';
import { SessionList } from '../../../../common/contract/accounts.ts';
import { startPlane } from '../../support/control-plane.ts';
import { addPerson, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

t.test('browsers that are signed in are called what people call them', async (t) => {
  const plane = await startPlane(t);
  const { id } = await addPerson(plane);
  const enter = async (headers: Record<string, string>): Promise<WebClient> => {
    const web = new WebClient(plane.url, headers);
    await signIn(web, await web.get('/account'));
    return web;
  };
  const names = async (): Promise<string[]> => {
    const { sessions } = (await plane.call(`GET /v1/sessions?account=${id}`)).as(SessionList);
    return sessions.map(({ name }) => name).sort();
  };
  const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0';
  const web = await enter({ 'user-agent': firefox });
  await enter({ 'sec-ch-ua': '"Brave";v="142", "Chromium";v="142"', 'sec-ch-ua-platform': '"macOS"' });
  await enter({ 'user-agent': '<script>alert(1)</script> my-own-name', 'sec-ch-ua-platform': '"<b>"' });
  t.same(await names(), ['Brave on macOS', 'Firefox on Windows', 'a browser']);
  const { text } = await web.get('/account');
  t.match(text, /Firefox on Windows, since [^<]*<\/span> \(this one\)/);
  t.notMatch(text, /alert\(1\)|my-own-name|<b>/);
});
