import { configureStore } from '@reduxjs/toolkit';
import { useSelector } from 'react-redux';

import { api } from '../shared/api.ts';
import { playbackSlice, type PlaybackState } from './playback-slice.ts';

export const store = configureStore({
  reducer: { [api.reducerPath]: api.reducer, playback: playbackSlice.reducer },
  middleware: (defaults) => defaults().concat(api.middleware),
  // The tools keep every action, and a playback makes four a second.
  devTools: false,
});

/** A part of the playback's state, in components. */
export function usePlayback<Part>(select: (state: PlaybackState) => Part): Part {
  return useSelector((state: ReturnType<typeof store.getState>) => select(state.playback));
}
