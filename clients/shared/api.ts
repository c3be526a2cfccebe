import { createApi, fetchBaseQuery } from '@reduxjs/toolkit/query/react';

import type { FillReportView } from '../../common/contract/fill.ts';
import type { PlaybackRequest, PlaybackSession } from '../../common/contract/playback.ts';
import type { StatusView } from '../../common/contract/status.ts';
import type { TitleView } from '../../common/contract/titles.ts';
import { takeToken } from './token.ts';

/** Which fill a report is of: of a night (`2026-11-21`), a site, an appliance; of all in the last day where nothing is named. */
export interface FillReportScope {
  readonly night?: string;
  readonly site?: string;
  readonly appliance?: string;
}

const token = takeToken();

/** Whether the page was opened with a token; without one no call can succeed. */
export const hasToken = token !== undefined;

/** The control plane's API as the pages use it. */
export const api = createApi({
  baseQuery: fetchBaseQuery({
    baseUrl: '/v1/',
    timeout: 10_000,
    prepareHeaders: (headers) => {
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
      return headers;
    },
  }),
  endpoints: (build) => ({
    startPlayback: build.mutation<PlaybackSession, PlaybackRequest>({
      query: (body) => ({ url: 'playback-sessions', method: 'POST', body }),
    }),
    status: build.query<StatusView, undefined>({ query: () => 'status' }),
    titles: build.query<{ titles: TitleView[] }, undefined>({ query: () => 'titles' }),
    fillReport: build.query<FillReportView, FillReportScope>({
      query: (params) => ({ url: 'fill/report', params }),
    }),
  }),
});

export const { useStartPlaybackMutation, useStatusQuery, useTitlesQuery, useFillReportQuery } = api;
