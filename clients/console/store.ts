import { configureStore } from '@reduxjs/toolkit';
import { setupListeners } from '@reduxjs/toolkit/query';

import { api } from '../shared/api.ts';

export const store = configureStore({
  reducer: { [api.reducerPath]: api.reducer },
  middleware: (defaults) => defaults().concat(api.middleware),
  // The tools keep every action, and the console polls for days.
  devTools: false,
});
// A console in a hidden tab asks nothing, and asks at once when it is seen again.
setupListeners(store.dispatch);
