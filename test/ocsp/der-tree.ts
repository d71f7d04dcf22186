import { readDer } from '../../lambda/ocsp/der.ts'
import { encode } from '../../lambda/ocsp/der-writer.ts'

/** A DER value as a tree, so that it can be bent and written again with lengths that are right. */
export interface Node {
  readonly tag: number
  /** Octets before the inner elements: the count of unused bits of a BIT STRING. */
  readonly prefix: Buffer
  /** Of a constructed value, or of one inside an OCTET or BIT STRING; else there is `content`. */
  readonly inner?: readonly Node[]
  readonly content?: Buffer
}

const OCTET_STRING = 0x04
const BIT_STRING = 0x03
const CONSTRUCTED = 0x20

export function treeOf(der: Uint8Array): Node {
  const [node] = nodesOf(Buffer.from(der))
  if (node === undefined) throw new RangeError('no DER')
  return node
}

export function encodeTree({ tag, prefix, inner, content }: Node): Buffer {
  return encode(tag, prefix, ...(inner?.map(encodeTree) ?? [content ?? Buffer.alloc(0)]))
}

function nodesOf(bytes: Buffer): Node[] {
  const nodes: Node[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const { header, length } = headerAt(bytes, offset)
    const content = bytes.subarray(offset + header, offset + header + length)
    nodes.push(nodeOf(bytes[offset] as number, content))
    offset += header + length
  }
  return nodes
}

function nodeOf(tag: number, content: Buffer): Node {
  const none = Buffer.alloc(0)
  if ((tag & CONSTRUCTED) !== 0) return { tag, prefix: none, inner: nodesOf(content) }
  const skip = tag === BIT_STRING ? 1 : 0
  const wrapped = content.subarray(skip)
  const wraps = (tag === OCTET_STRING || tag === BIT_STRING) && isDer(wrapped)
  return wraps
    ? { tag, prefix: content.subarray(0, skip), inner: nodesOf(wrapped) }
    : { tag, prefix: none, content }
}

function isDer(bytes: Buffer): boolean {
  try {
    readDer(bytes, 'a value')
    return true
  } catch {
    return false
  }
}

function headerAt(bytes: Buffer, offset: number): { header: number; length: number } {
  const first = bytes[offset + 1] ?? 0
  if (first < 0x80) return { header: 2, length: first }
  const octets = first & 0x7f
  return { header: 2 + octets, length: bytes.readUIntBE(offset + 2, octets) }
}

const BENDS = ['empty', 'double', 'drop', 'nest'] as const
export type Bend = (typeof BENDS)[number]

/** Every tree that differs from this one by one element that is emptied, doubled, left out, or wrapped in itself. */
export function* bendings(tree: Node): Generator<{ bend: Bend; path: string; bent: Node }> {
  for (const path of pathsOf(tree, []))
    for (const bend of BENDS) {
      if (path.length === 0 && bend !== 'empty') continue
      yield { bend, path: path.join('.'), bent: bendAt(tree, path, bend) }
    }
}

function* pathsOf(node: Node, path: readonly number[]): Generator<readonly number[]> {
  yield path
  for (const [index, inner] of (node.inner ?? []).entries()) yield* pathsOf(inner, [...path, index])
}

function bendAt(node: Node, [index, ...rest]: readonly number[], bend: Bend): Node {
  if (index === undefined) return emptied(node)
  const inner = [...(node.inner ?? [])]
  const target = inner[index] as Node
  if (rest.length > 0 || bend === 'empty') inner[index] = bendAt(target, rest, bend)
  else if (bend === 'nest') inner[index] = { ...target, prefix: Buffer.alloc(0), inner: [target] }
  else inner.splice(index, 1, ...(bend === 'double' ? [target, target] : []))
  return { ...node, inner }
}

function emptied({ tag, prefix, inner }: Node): Node {
  return inner === undefined ? { tag, prefix, content: Buffer.alloc(0) } : { tag, prefix, inner: [] }
}
