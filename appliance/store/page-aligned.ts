// Node has it; the types of Node 26 do not.
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};
const wasmPageBytes = 64 * 1024;

/**
 * Memory that begins on a page, which reads and writes around the page cache (O_DIRECT) demand. Node promises that of no buffer
 * of its own, the engine of WebAssembly's. Pages that were never used cost nothing.
 */
export function pageAligned(sizeBytes: number): Buffer {
  const pages = Math.ceil(sizeBytes / wasmPageBytes);
  return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
}
