/** Which directives of haproxy.cfg are kept, by section, and what is done to conditions. */

import { isIP } from 'node:net'
import type { Findings, Spot } from '../findings.ts'
import { type Allowed, TCP_ACTIONS, TCP_STAGES, WHY } from './allowed.ts'

/**
 * The words of a directive that is kept as it is.
 * @returns undefined where it is left out, or refused.
 */
export function keep(
  words: readonly string[],
  { kept, left }: Allowed,
  spot: Spot,
  findings: Findings,
): readonly string[] | undefined {
  const bare = ['no', 'default'].includes(words[0] as string) ? words.slice(1) : words
  const [directive = '', second = ''] = bare
  // What is called with arguments, as set-var(txn.x).
  const action = second.replace(/\(.*$/s, '')
  const names = [directive, `${directive} ${action}`]
  if (names.some((name) => kept.has(name)) || isTcpRule(bare)) {
    const name = directive === 'option' ? exceptedIn(bare).find((each) => !isNetwork(each)) : undefined
    if (name !== undefined) {
      findings.refuse(
        spot,
        `${names[1]} except ${name}: a name, which is looked up`,
        'write its address in a copy',
      )
      return undefined
    }
    return withoutLookups(words)
  }
  const known = names.find((name) => left.has(name))
  if (known !== undefined) findings.leaveOut(spot, known)
  else refuse(bare, spot, findings)
  return undefined
}

/** What follows each `except`; nothing after the last is no network either. */
function exceptedIn(words: readonly string[]): readonly string[] {
  return words.flatMap((word, at) => (word === 'except' ? [words[at + 1] ?? ''] : []))
}

function isNetwork(text: string): boolean {
  return isIP(text.replace(/\/[0-9.]+$/, '')) > 0
}

function refuse([directive = '', second = '']: readonly string[], spot: Spot, findings: Findings): void {
  const why = WHY.get(directive) ?? WHY.get(second)
  const named = second === '' ? directive : `${directive} ${second}`
  findings.refuse(spot, `${named}: ${why ?? 'not known to do no harm'}`)
}

function isTcpRule([directive, stage = '', action = '']: readonly string[]): boolean {
  if (directive !== 'tcp-request' && directive !== 'tcp-response') return false
  return TCP_STAGES.has(stage) && TCP_ACTIONS.has(action.replace(/\(.*$/s, ''))
}

/**
 * Names among the patterns of a condition would be looked up when HAProxy starts: `-n` forbids that (configuration manual,
 * "ACL basics").
 */
function withoutLookups(words: readonly string[]): readonly string[] {
  if (words[0] === 'acl') return words.length > 3 ? [...words.slice(0, 3), '-n', ...words.slice(3)] : words
  const from = words.findIndex((word) => word === 'if' || word === 'unless')
  if (from < 0) return words
  return words.flatMap((word, at) => {
    const opens = at > from + 1 && /^!*\{$/.test(words[at - 1] as string)
    return opens && words[at + 1] !== '}' ? [word, '-n'] : [word]
  })
}
