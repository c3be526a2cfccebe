import t from 'tap';
import { watchFoldersOf } from '../../control-plane/watch-folders.ts';

t.test('folders to watch have a name of their own, or none', async (t) => {
  t.strictSame(watchFoldersOf(['films=/srv/films', '/srv/tv', '/srv/a=b']), [
    { path: '/srv/films', label: 'films' },
    { path: '/srv/tv' },
    { path: '/srv/a=b' },
  ]);
  t.throws(() => watchFoldersOf(['films=/srv/a', 'films=/srv/b']), { code: 'CONFIG_INVALID' });
});
