import {
  CertificateName,
  CertificateReply,
  CertificateRequest,
} from '../../../common/contract/certificates.ts';
import { NodeId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Certificates } from './service.ts';

/** The routes by which a box is certified; its private key never leaves it. */
export function certificateRoutes(app: App, { certificates }: { certificates: Certificates }): void {
  const params = Type.Object({ id: NodeId });
  const config = { credential: ['node:appliance', 'node:origin'], self: 'id' } as const;
  app.get(
    '/v1/nodes/:id/certificate',
    {
      config,
      schema: {
        summary: "The name under steering's zone that the node's certificate is for",
        tags: ['nodes'],
        params,
        response: { 200: CertificateName },
      },
    },
    async (request) => ({ name: certificates.nameOf(request.params.id) }),
  );
  app.put(
    '/v1/nodes/:id/certificate',
    {
      config,
      schema: {
        summary:
          'The certificate for a request by the node, ordered from the authority (ACME DNS-01), or when to ask again',
        tags: ['nodes'],
        params,
        body: CertificateRequest,
        response: { 200: CertificateReply },
      },
    },
    async (request) => certificates.certify(request.params.id, request.body.csr),
  );
}
