/** Header structures of RPM's format 4: a table of numbered tags over a store of values. */

/** A value by its type. Source: RPM's file format, "Header structure". */
export type TagValue =
  | { readonly int16: readonly number[] }
  | { readonly int32: readonly number[] }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly translated: string }
  | { readonly bytes: Uint8Array }

const MAGIC = Buffer.from('8eade80100000000', 'hex')
const ENTRY = 16
const BYTES = 7

/**
 * @param region number of the tag that frames the header: what stands within it is what is signed.
 * @param tags in any order.
 */
export function header(region: number, tags: ReadonlyMap<number, TagValue>): Buffer {
  const sorted = [...tags].sort(([one], [other]) => one - other)
  const entries: Buffer[] = []
  let store = Buffer.alloc(0)
  for (const [tag, value] of sorted) {
    const { type, count, align, data } = encode(value)
    store = Buffer.concat([store, Buffer.alloc((align - (store.length % align)) % align)])
    entries.push(entry(tag, type, store.length, count))
    store = Buffer.concat([store, data])
  }
  // The region's own value repeats its entry, with the way back to the table's beginning as its offset.
  const size = (sorted.length + 1) * ENTRY
  const framed = [entry(region, BYTES, store.length, ENTRY), ...entries]
  const values = Buffer.concat([store, entry(region, BYTES, -size, ENTRY)])
  return Buffer.concat([MAGIC, int32([framed.length, values.length]), ...framed, values])
}

function entry(tag: number, type: number, offset: number, count: number): Buffer {
  return int32([tag, type, offset, count])
}

function encode(value: TagValue): { type: number; count: number; align: number; data: Buffer } {
  if ('int16' in value) return { type: 3, count: value.int16.length, align: 2, data: int16(value.int16) }
  if ('int32' in value) return { type: 4, count: value.int32.length, align: 4, data: int32(value.int32) }
  if ('bytes' in value)
    return { type: BYTES, count: value.bytes.length, align: 1, data: Buffer.from(value.bytes) }
  if ('text' in value) return { type: 6, count: 1, align: 1, data: strings([value.text]) }
  if ('texts' in value) return { type: 8, count: value.texts.length, align: 1, data: strings(value.texts) }
  return { type: 9, count: 1, align: 1, data: strings([value.translated]) }
}

function int16(values: readonly number[]): Buffer {
  const data = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => {
    data.writeUInt16BE(value, index * 2)
  })
  return data
}

function int32(values: readonly number[]): Buffer {
  const data = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => {
    data.writeInt32BE(value, index * 4)
  })
  return data
}

function strings(values: readonly string[]): Buffer {
  return Buffer.from(values.map((value) => `${value}\0`).join(''))
}
