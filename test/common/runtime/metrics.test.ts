import { t } from 'tap';
import { createMetrics } from '../../../common/runtime/metrics.ts';

t.test('each process has a registry of its own', async (t) => {
  const metrics = createMetrics({ name: 'steering', version: '1.2.3' });
  const other = createMetrics({ name: 'encoder', version: '1.2.3' });
  metrics.counter({ name: 'nearcast_served_bytes_total', help: 'h', labels: ['file'] }).inc({ file: 'a' }, 5);
  metrics.histogram({ name: 'nearcast_answer_seconds', help: 'h' }).observe(0.002);
  metrics.gauge({ name: 'nearcast_held_files', help: 'h', collect: (gauge) => gauge.set(3) });
  const text = await metrics.text();
  t.match(text, 'nearcast_served_bytes_total{file="a"} 5');
  t.match(text, 'nearcast_answer_seconds_bucket{le="0.0025"} 1');
  t.match(text, 'nearcast_held_files 3');
  t.match(text, 'nearcast_build_info{name="steering",version="1.2.3"} 1');
  t.match(text, 'process_resident_memory_bytes');
  t.notMatch(await other.text(), 'nearcast_served_bytes_total');
});

t.test('names end in their unit', (t) => {
  const metrics = createMetrics({ name: 'x', version: '0' });
  t.throws(() => metrics.counter({ name: 'nearcast_served', help: 'h' }), /_total/);
  t.throws(() => metrics.gauge({ name: 'nearcast_speed', help: 'h' }), /unit/);
  t.throws(() => metrics.histogram({ name: 'nearcast_answer_bytes', help: 'h' }), /buckets/);
  t.end();
});
