import { createLog } from '../../common/runtime/log.ts';

/** A log whose lines can be read. */
export function memoryLog() {
  const said: { level: string; msg: string }[] = [];
  const write = (line: string) => void said.push(JSON.parse(line) as { level: string; msg: string });
  return { said, log: createLog({ name: 'test', write, format: 'json' }) };
}
