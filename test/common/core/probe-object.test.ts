import { createHash } from 'node:crypto';
import t from 'tap';
import { probeBytes, probeDigest, probeObject } from '../../../common/core/probe-object.ts';

t.test('a box’s object is 4 KiB, always the same, and no other box’s nor that of another state', (t) => {
  const object = probeObject('isp-a-1', 'ready');
  t.equal(Buffer.byteLength(object), probeBytes);
  t.equal(object, probeObject('isp-a-1', 'ready'));
  t.equal(probeDigest('isp-a-1', 'ready'), createHash('sha256').update(object).digest('hex'));
  const others = [probeObject('isp-a-2', 'ready'), probeObject('isp-a-1', 'draining')];
  t.ok(others.every((other) => other !== object && other.length === probeBytes));
  // Part of the wire: boxes and steering of different versions must agree.
  t.equal(probeDigest('isp-a-1', 'ready').slice(0, 16), '087769fd6191d0d7');
  t.end();
});
