/** What a `bind` line listens on. Source: configuration manual, "Address formats". */
import { isIP } from 'node:net'
import type { Findings, Spot } from '../findings.ts'
import type { Word } from '../places.ts'

/** What listens. */
export interface Address {
  /** As a ring's `verify` names it, on the user's own machine; undefined where that is not known. */
  readonly named: string | undefined
  /** Which of the machine's ports; undefined for a socket. */
  readonly port: number | undefined
  readonly here: Word
}

/** Gives out numbers for what each machine has of its own. */
export interface Numbers {
  port(): number
  socket(): number
}

interface Reading {
  readonly spot: Spot
  readonly findings: Findings
  readonly numbers: Numbers
}

/** More ports of a line than these would take the machine's away. */
const MOST_PORTS = 20
const TCP = new Set(['', 'ipv4', 'ipv6', 'tcp', 'tcp4', 'tcp6'])
const UNIX = new Set(['unix', 'uxst', 'abns', 'abnsz'])
const QUIC = new Set(['quic4', 'quic6', 'udp', 'udp4', 'udp6'])

/** @returns none where it is left out or refused. */
export function readAddress(text: string, reading: Reading): readonly Address[] {
  const { spot, findings, numbers } = reading
  const [, family = '', rest = ''] = /^(?:([a-z0-9+]+)@)?(.*)$/s.exec(text) ?? []
  if (UNIX.has(family) || (family === '' && rest.startsWith('/'))) {
    const number = numbers.socket()
    const named = family === '' || family.startsWith('u') ? `unix:${rest}` : undefined
    return [{ named, port: undefined, here: (places) => `unix@${places.file(`${number}.sock`)}` }]
  }
  if (QUIC.has(family)) {
    findings.leaveOut(spot, `${family}@`)
    return []
  }
  if (family === 'fd') return [portOf(undefined, numbers)]
  if (!TCP.has(family)) {
    findings.refuse(spot, `the address ${text} is of a kind that is not known`)
    return []
  }
  return readPorts(rest, reading)
}

function readPorts(text: string, { spot, findings, numbers }: Reading): readonly Address[] {
  const [, host = '', first = '', last = first] = /^(.*):(\d+)(?:-(\d+))?$/s.exec(text) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (first === '' || from > to || to > 65_535 || from === 0) {
    findings.refuse(spot, `wanted an address with a port, got ${text}`, 'name its port')
    return []
  }
  if (to - from >= MOST_PORTS) {
    findings.refuse(spot, `${to - from + 1} ports in a line`, `keep ${MOST_PORTS} at most in a copy`)
    return []
  }
  const name = ownHost(host)
  return Array.from({ length: to - from + 1 }, (_, n) => portOf(name && `${name}:${from + n}`, numbers))
}

/** The address at which the machine itself reaches it. */
function ownHost(host: string): string | undefined {
  const plain = host.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '')
  if (['', '*', '0.0.0.0'].includes(plain)) return '127.0.0.1'
  if (plain === '::') return '[::1]'
  return { 0: undefined, 4: plain, 6: `[${plain}]` }[isIP(plain) as 0 | 4 | 6]
}

function portOf(named: string | undefined, numbers: Numbers): Address {
  const port = numbers.port()
  return { named, port, here: (places) => `127.0.0.1:${places.ports[port]}` }
}
