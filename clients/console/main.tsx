import { createRoot } from 'react-dom/client';
import { Provider } from 'react-redux';

import { callWith, hasToken } from '../shared/api.ts';
import { canSignIn, currentToken, finishSignIn, signInSilently } from '../shared/sign-in.ts';
import { App } from './app.tsx';
import { store } from './store.ts';
import type { Entry } from './visitor.tsx';
import '../shared/style.css';
import './console.css';

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root element');

/** How the page was entered: by a link with a token, or by a person who is signed in here. */
async function enter(): Promise<Entry> {
  if (hasToken) return 'link';
  if (!canSignIn) return 'insecure';
  const isSignedIn = (await finishSignIn()) || (await signInSilently());
  if (!isSignedIn) return 'nobody';
  callWith(currentToken);
  return 'signed-in';
}

const entry = await enter().catch((): Entry => 'nobody');
createRoot(root).render(
  <Provider store={store}>
    <App entry={entry} />
  </Provider>,
);
