import { decode, encode, type DecodedPacket, type OptAnswer } from 'dns-packet';
import { readOptRecord, type Query } from './query.ts';
import { headerBytes, rcodes, uint16At } from './wire.ts';

/** A query has an OPT, perhaps a signature, and for IXFR an SOA: thousands of records are there to keep us busy. */
const RECORDS_MAX = 4;

/**
 * Reads what stands behind the question of a packet that `readQuery` found odd: several records, or such as are no OPT. The
 * OPT among them is written anew, so that one reader reads all options.
 */
export function readOddQuery(query: Query): void {
  const { packet, start, end } = query;
  const records = [6, 8, 10].reduce((sum, at) => sum + uint16At(packet, start + at), 0);
  const opt = records > RECORDS_MAX ? 'malformed' : findOpt(Buffer.from(packet.subarray(start, end)));
  if (opt === 'malformed') query.fail(rcodes.formErr, false);
  if (opt === 'malformed' || opt === undefined) return;
  query.options = encode({ type: 'query', additionals: [opt] });
  readOptRecord(query, headerBytes, query.options.length);
}

function findOpt(packet: Buffer): OptAnswer | undefined | 'malformed' {
  let decoded: DecodedPacket;
  try {
    decoded = decode(packet);
  } catch {
    return 'malformed';
  }
  const { answers = [], authorities = [], additionals = [] } = decoded;
  // RFC 6891 §6.1.1: one OPT at most, in the additional section, with the root's name.
  if ([...answers, ...authorities].some((record) => record.type === 'OPT')) return 'malformed';
  const [opt, another] = additionals.filter((record) => record.type === 'OPT');
  return another !== undefined || (opt !== undefined && opt.name !== '.') ? 'malformed' : opt;
}
