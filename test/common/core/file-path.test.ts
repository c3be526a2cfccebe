import t from 'tap';

import { filePath, parseFilePath } from '../../../common/core/file-path.ts';

const token = 'A'.repeat(40);
const file = '0123456789abcdef'.repeat(4);

t.test('the exact form is read, a query dropped', async (t) => {
  const path = filePath(token, file, 'mp4');
  t.strictSame(parseFilePath(path), { token, file, ext: 'mp4' });
  t.strictSame(parseFilePath(`${path}?CMCD=br%3D1`), {
    token,
    file,
    ext: 'mp4',
  });
});

t.test('anything else is not a file', async (t) => {
  const bad = [
    '',
    '/',
    `/v1/${token}/${file}`,
    `/v1/${token}/${file}.exe`,
    `/v1/${token}/${file}.constructor`,
    `/v1/${token}/${file.toUpperCase()}.mp4`,
    `/v1/${token}/../${file}.mp4`,
    `/v1/${token}/%2e%2e/${file}.mp4`,
    `/v1/${token}//${file}.mp4`,
    `/v1/${token}/${file}.mp4/`,
    `/v1/${token}/${file}.mp4%00`,
    `/v1/${token}/..%2f..%2fetc%2fpasswd`,
    `//v1/${token}/${file}.mp4`,
    `http://host/v1/${token}/${file}.mp4`,
    `/v1/${'A'.repeat(3000)}/${file}.mp4`,
    `/v1/short/${file}.mp4`,
  ];
  for (const target of bad) t.equal(parseFilePath(target), undefined, target.slice(0, 100));
});
