/** `server`, `server-template` and `default-server` lines of haproxy.cfg: each becomes the server that answers here. */
import type { Findings, Spot } from '../findings.ts'
import type { Word } from '../places.ts'
import { SERVER_OPTIONS } from './allowed.ts'
import { readOptions } from './options.ts'

/** Words before the options: after the directive, and of these the address. */
const HEADS = new Map<string, { readonly length: number; readonly address?: number }>([
  ['server', { length: 3, address: 2 }],
  ['server-template', { length: 4, address: 3 }],
  ['default-server', { length: 1 }],
])

export function isServer(directive: string): boolean {
  return HEADS.has(directive)
}

export function readServer(words: readonly string[], spot: Spot, findings: Findings): readonly Word[] {
  const [directive = ''] = words
  const { length, address } = HEADS.get(directive) ?? { length: words.length }
  if (words.length < length) findings.refuse(spot, `${directive} without its address`, 'complete it')
  const head: Word[] = words.slice(0, length)
  if (address !== undefined) head[address] = ({ backend }) => `127.0.0.1:${backend}`
  return [...head, ...readOptions(words.slice(length), SERVER_OPTIONS, { spot, findings, what: 'server' })]
}
