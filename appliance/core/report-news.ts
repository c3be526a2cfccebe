import type { BoxReport } from '../../common/contract/health.ts';

/** Headroom moves with every request; steering is told of steps that could change a decision. */
const headroomStep = 0.05;
const sessionsStep = 10;
const sessionsShare = 0.1;

/** Whether a report says something that steering should not wait for until the next regular one. */
export function isNews(report: BoxReport, told: BoxReport | undefined): boolean {
  if (told === undefined) return true;
  if (report.state !== told.state || report.level !== told.level) return true;
  if ((report.headroom === 0) !== (told.headroom === 0)) return true;
  if (Math.abs(report.headroom - told.headroom) >= headroomStep) return true;
  const sessionsMoved = Math.abs(report.liveSessions - told.liveSessions);
  if (sessionsMoved >= Math.max(sessionsStep, told.liveSessions * sessionsShare)) return true;
  const { serving, all } = told.disks;
  if (report.disks.serving !== serving || report.disks.all !== all) return true;
  return report.reasons.join('\n') !== told.reasons.join('\n');
}
