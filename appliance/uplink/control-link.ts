import { CertificateName, CertificateReply } from '../../common/contract/certificates.ts';
import { FillSourcesReply, type FillPurpose, type FillReport } from '../../common/contract/fill.ts';
import { HeartbeatReply, type Heartbeat } from '../../common/contract/nodes.ts';
import { routeDeltaType, RouteTableReply, routeTableType } from '../../common/contract/routes.ts';
import { ServedReportReply } from '../../common/contract/served.ts';
import type { ControlClient } from '../../common/runtime/control-client.ts';
import { coded } from '../../common/runtime/errors.ts';

const pollMs = 25_000;
const documentBytesMax = 64 * 1024 * 1024;
const sourcesBytesMax = 32 * 1024 * 1024;

/** The calls that an appliance makes to the control plane, as this node. */
export class ControlLink {
  readonly #control: ControlClient;
  readonly #path: string;

  constructor(control: ControlClient, nodeId: string) {
    this.#control = control;
    this.#path = `/v1/nodes/${nodeId}`;
  }

  /** Not tried again by itself: the next one says more. */
  async heartbeat(body: Heartbeat, signal: AbortSignal): Promise<HeartbeatReply> {
    const call = { method: 'PUT', path: `${this.#path}/heartbeat`, body, signal, retriesMax: 0 } as const;
    const { value } = await this.#control.json(call, HeartbeatReply);
    if (value === undefined)
      throw coded('UNAVAILABLE', 'the control plane answered a heartbeat with nothing');
    return value;
  }

  /** A long poll for a manifest newer than `after`; with `diff` maybe as its difference from that one. */
  fillManifest(
    { after, diff }: { after: number; diff: boolean },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    return this.#document(`${this.#path}/fill-manifest`, { after, ...(diff && { diff: 'true' }) }, signal);
  }

  /** A long poll for revocations newer than `after`. */
  revocations(after: number, signal: AbortSignal): Promise<string | undefined> {
    return this.#document('/v1/revocations', { after }, signal);
  }

  /** Where files may be fetched from: what the manifest wants, or with `pull` any file. */
  async fillSources(
    files: string[],
    signal: AbortSignal,
    purpose: FillPurpose = 'fill',
  ): Promise<FillSourcesReply> {
    const { value } = await this.#control.json(
      {
        method: 'POST',
        path: `${this.#path}/fill-sources`,
        // An older control plane knows no purpose, and needs none for a fill.
        body: purpose === 'fill' ? { files } : { files, purpose },
        idempotent: true,
        answerBytesMax: sourcesBytesMax,
        signal,
      },
      FillSourcesReply,
    );
    return value ?? { sources: [] };
  }

  async fillReport(body: FillReport, signal: AbortSignal): Promise<void> {
    const path = `${this.#path}/fill-reports`;
    await this.#control.text({ method: 'POST', path, body, idempotent: true, signal });
  }

  /** The name that this node's certificate is for. */
  async certificateName(): Promise<string> {
    const call = { method: 'GET', path: `${this.#path}/certificate` } as const;
    const { value } = await this.#control.json(call, CertificateName);
    if (value === undefined) throw coded('UNAVAILABLE', 'the control plane answered with no name');
    return value.name;
  }

  /** Has an authority answer a request; not tried again by itself. */
  async certificate(csr: string, signal: AbortSignal): Promise<CertificateReply> {
    const path = `${this.#path}/certificate`;
    const call = { method: 'PUT', path, body: { csr }, retriesMax: 0, signal } as const;
    const { value } = await this.#control.json(call, CertificateReply);
    return value ?? {};
  }

  /** Delivers a signed report; a repeat changes nothing. */
  async servedReport(jws: string, signal: AbortSignal): Promise<ServedReportReply> {
    const path = `${this.#path}/served-reports`;
    const call = { method: 'POST', path, body: { jws }, idempotent: true, signal } as const;
    const { value } = await this.#control.json(call, ServedReportReply);
    if (value === undefined) throw coded('UNAVAILABLE', 'the control plane answered a report with nothing');
    return value;
  }

  /** Tells the routes, packed: all of them, or what changed since the last time. Not tried again by itself. */
  async routeTable(stream: Buffer, kind: 'full' | 'delta', signal: AbortSignal): Promise<RouteTableReply> {
    const path = `${this.#path}/route-table`;
    const call =
      kind === 'full'
        ? ({ method: 'PUT', headers: { 'content-type': routeTableType } } as const)
        : ({ method: 'PATCH', headers: { 'content-type': routeDeltaType } } as const);
    const { value } = await this.#control.json({ ...call, path, stream, signal }, RouteTableReply);
    if (value === undefined) throw coded('UNAVAILABLE', 'the control plane answered routes with nothing');
    return value;
  }

  /** Delivers a signed receipt; a repeat changes nothing. */
  async withdrawalReceipt(jws: string, signal: AbortSignal): Promise<void> {
    const path = `${this.#path}/withdrawal-receipts`;
    await this.#control.text({ method: 'POST', path, body: { jws }, idempotent: true, signal });
  }

  async #document(
    path: string,
    query: { after: number; diff?: string },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { status, value } = await this.#control.text({
      method: 'GET',
      path,
      query: { ...query, waitMs: pollMs },
      waitMs: pollMs,
      // Whoever follows a document waits and asks again.
      retriesMax: 0,
      answerBytesMax: documentBytesMax,
      signal,
    });
    return status === 204 || value === '' ? undefined : value;
  }
}
