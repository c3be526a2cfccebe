import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { Type } from '../../../common/contract/type.ts';
import { ObjectId, SizeBytes } from '../../../common/contract/primitives.ts';
import { UploadRequest, UploadView } from '../../../common/contract/titles.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Catalog } from './service.ts';

const credential = ['operator', 'admin'] as const;
const params = Type.Object({ id: ObjectId });
const bodyTypes = ['application/octet-stream', 'application/offset+octet-stream'];
const tags = ['uploads'];

/** Routes of resumable uploads. */
export function uploadRoutes(app: App, { catalog: { uploads } }: { catalog: Catalog }): void {
  app.post(
    '/v1/uploads',
    {
      config: { credential },
      schema: { tags, summary: 'Begin an upload', body: UploadRequest, response: { 201: UploadView } },
    },
    async (request, reply) => {
      const upload = await uploads.create(request.body);
      void reply.code(201).header('location', `/v1/uploads/${upload.uploadId}`);
      return sendUpload(reply, upload);
    },
  );
  app.get(
    '/v1/uploads/:id',
    {
      config: { credential },
      schema: { tags, summary: 'Where an upload continues', params, response: { 200: UploadView } },
    },
    async (request, reply) => sendUpload(reply, uploads.view(request.params.id)),
  );
  // In a scope of its own: only here is a body a stream, and nothing else.
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(bodyTypes, (_request, payload, parsed) => {
      parsed(null, payload);
    });
    appendRoute(scope, uploads);
    done();
  });
}

function appendRoute(app: App, uploads: Catalog['uploads']): void {
  app.patch(
    '/v1/uploads/:id',
    {
      // That the upload began is written; its pieces are many.
      config: { credential, audit: false },
      schema: {
        tags,
        summary: 'Continue an upload at upload-offset with the bytes of the body',
        params,
        headers: Type.Object({
          'upload-offset': SizeBytes,
          'content-length': Type.Optional(SizeBytes),
        }),
        consumes: bodyTypes,
        response: { 200: UploadView },
      },
    },
    async (request, reply) => {
      const { 'upload-offset': offsetBytes, 'content-length': lengthBytes } = request.headers;
      const { body } = request as { body: unknown };
      if (!(body instanceof Readable))
        throw coded('UNSUPPORTED_MEDIA_TYPE', `send ${bodyTypes.join(' or ')}`);
      return sendUpload(reply, await uploads.append(request.params.id, body, { offsetBytes, lengthBytes }));
    },
  );
}

function sendUpload(reply: FastifyReply, upload: UploadView): UploadView {
  void reply.header('upload-offset', upload.offsetBytes);
  return upload;
}
