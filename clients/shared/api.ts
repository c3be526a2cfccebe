import { createApi, fetchBaseQuery } from '@reduxjs/toolkit/query/react';

import type { Me } from '../../common/contract/accounts.ts';
import type { FillReportView } from '../../common/contract/fill.ts';
import type { NodeView } from '../../common/contract/nodes.ts';
import type { PlaybackRequest, PlaybackSession } from '../../common/contract/playback.ts';
import type { ProfilePatch, ProfileView } from '../../common/contract/profiles.ts';
import type { StatusView } from '../../common/contract/status.ts';
import type { TitleList, TitleListQuery, TitleView } from '../../common/contract/titles.ts';
import type { RevenueReport } from '../../common/contract/usage.ts';
import { takeToken } from './token.ts';

/** Which fill a report is of: of a night (`2026-11-21`), a site, an appliance; of all in the last day where nothing is named. */
export interface FillReportScope {
  readonly night?: string;
  readonly site?: string;
  readonly appliance?: string;
}

const linkToken = takeToken();
/** Reports are counted from all books when they are asked for. */
const reportTimeoutMs = 120_000;
let tokenOf = (): Promise<string | undefined> => Promise.resolve(linkToken);

/** Whether the page was opened with a token in its link. */
export const hasToken = linkToken !== undefined;

/** Has every call from now on bear what this gives: the page is signed in. */
export function callWith(source: () => Promise<string | undefined>): void {
  tokenOf = source;
}

/** The control plane's API as the pages use it. */
export const api = createApi({
  baseQuery: fetchBaseQuery({
    baseUrl: '/v1/',
    timeout: 10_000,
    prepareHeaders: async (headers) => {
      const token = await tokenOf();
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
      return headers;
    },
  }),
  endpoints: (build) => ({
    startPlayback: build.mutation<PlaybackSession, PlaybackRequest>({
      query: (body) => ({ url: 'playback-sessions', method: 'POST', body }),
    }),
    changeProfile: build.mutation<ProfileView, ProfilePatch & { id: string }>({
      query: ({ id, ...body }) => ({ url: `profiles/${id}`, method: 'PATCH', body }),
    }),
    me: build.query<Me, undefined>({ query: () => 'me' }),
    nodes: build.query<{ nodes: NodeView[] }, undefined>({ query: () => 'nodes' }),
    status: build.query<StatusView, undefined>({ query: () => 'status' }),
    /** A page, each with a picture, where it has one. */
    titles: build.query<TitleList, Pick<TitleListQuery, 'after' | 'limit'>>({
      query: (page) => ({ url: 'titles', params: { ...page, artwork: 'poster,still' } }),
    }),
    title: build.query<TitleView, string>({ query: (id) => `titles/${id}` }),
    fillReport: build.query<FillReportView, FillReportScope>({
      query: (params) => ({ url: 'fill/report', params }),
    }),
    revenue: build.query<RevenueReport, { months: number }>({
      query: (params) => ({ url: 'reports/revenue', params, timeout: reportTimeoutMs }),
    }),
  }),
});

export const {
  useChangeProfileMutation,
  useFillReportQuery,
  useMeQuery,
  useNodesQuery,
  useRevenueQuery,
  useStartPlaybackMutation,
  useStatusQuery,
  useTitleQuery,
  useTitlesQuery,
} = api;
