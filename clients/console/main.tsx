import { createRoot } from 'react-dom/client';
import { Provider } from 'react-redux';

import { App } from './app.tsx';
import { store } from './store.ts';
import '../shared/style.css';
import './console.css';

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root element');
createRoot(root).render(
  <Provider store={store}>
    <App />
  </Provider>,
);
