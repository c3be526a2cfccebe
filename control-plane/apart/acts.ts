import { AuditDraft } from '../../common/contract/audit.ts';
import { Sequence } from '../../common/contract/primitives.ts';
import { Type } from '../../common/contract/type.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { ActLog } from '../gateway/audit.ts';
import type { Audit, BegunAct } from '../services/audit/service.ts';
import { defineInterface, Nothing, type Calls } from './interface.ts';

const who = ['account', 'role', 'network', 'action'] as const;
const Begun = Type.Object({
  act: Type.Pick(AuditDraft, [...who, 'session', 'object', 'detail']),
  sequence: Sequence,
});

/** The audit log, for services that have privileged callers. Errors: AUDIT_UNAVAILABLE. */
export const acts = defineInterface({
  service: 'core',
  name: 'acts',
  verbs: {
    begin: { ask: Begun.properties.act, answer: Begun, isRepeatable: false },
    end: {
      ask: Type.Object({ begun: Begun, how: Type.Pick(AuditDraft, ['outcome', 'code', 'object']) }),
      answer: Nothing,
      isRepeatable: false,
    },
    count: { ask: Type.Pick(AuditDraft, [...who, 'code']), answer: Nothing, isRepeatable: false },
  },
});

/** Answers for the log of this process. */
export function answerActs(audit: Audit): Calls<typeof acts> {
  return {
    begin: (act) => audit.begin(act),
    end: async ({ begun, how }) => {
      audit.end(begun, how);
      return {};
    },
    count: async ({ code = '', ...event }) => {
      audit.count({ ...event, code });
      return {};
    },
  };
}

/** A log that asks. What cannot be told any more is lost: that an act began stands there already. */
export function askForActs(calls: Calls<typeof acts>, log: Log): ActLog<BegunAct> {
  const logged = (told: Promise<unknown>): void => {
    told.catch((error: unknown) => {
      log.warn({ err: error }, 'the audit log could not be told how an act ended');
    });
  };
  return {
    begin: (act) => calls.begin(act),
    end: (begun, how) => {
      logged(calls.end({ begun, how }));
    },
    count: (event) => {
      logged(calls.count(event));
    },
  };
}
