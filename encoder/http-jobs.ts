import { Type } from '../common/contract/type.ts';
import { EncodeJob } from '../common/contract/titles.ts';
import type { ControlClient } from '../common/runtime/control-client.ts';
import type { Jobs } from './jobs.ts';

const Nothing = Type.Unknown();

/** Encode jobs over the contract's HTTP interface. */
export function createHttpJobs(control: ControlClient): Jobs {
  const post = async (path: string, body: unknown): Promise<void> => {
    // A repetition is no error over there.
    await control.json({ method: 'POST', path, body, idempotent: true }, Nothing);
  };
  return {
    async lease(waitMs, signal) {
      const call = {
        method: 'POST',
        path: '/v1/encode-jobs/lease',
        body: { waitMs, makes: ['video', 'picture'] },
        waitMs,
        signal,
      } as const;
      return (await control.json(call, EncodeJob)).value;
    },
    async progress({ jobId, leaseId }, { fraction, stage }) {
      const body = { leaseId, fraction: Math.min(1, Math.max(0, fraction)), stage };
      // The next one is on its way soon enough.
      await control.json({ method: 'POST', path: `/v1/encode-jobs/${jobId}/progress`, body }, Nothing);
    },
    complete: ({ jobId, leaseId }, { notices = [], ...made }) => {
      // A control plane of before knows of none.
      const body = { leaseId, ...made, ...(notices.length > 0 && { notices }) };
      return post(`/v1/encode-jobs/${jobId}/complete`, body);
    },
    fail: ({ jobId, leaseId }, failure) => post(`/v1/encode-jobs/${jobId}/fail`, { leaseId, ...failure }),
  };
}
