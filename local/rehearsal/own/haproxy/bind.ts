/** `bind` lines of haproxy.cfg. Source: configuration manual, bind options. */
import type { Findings, Spot } from '../findings.ts'
import { FALLBACK_NAME, type Word } from '../places.ts'
import { type Address, type Numbers, readAddress } from './address.ts'
import { BIND_OPTIONS } from './allowed.ts'
import type { Certificates, Presented } from './certificates.ts'
import { readOptions } from './options.ts'

export interface Bind {
  readonly spot: Spot
  readonly addresses: readonly Address[]
  /** What is kept of its options, without PROXY protocol and ticket keys. */
  readonly options: readonly Word[]
  /** What makes another listener present the same certificates, and how the user wrote it. */
  readonly presents: readonly Word[]
  readonly written: readonly string[]
  readonly isTls: boolean
  readonly isProxied: boolean
  readonly isGuarded: boolean
  readonly withoutTickets: boolean
  readonly keyFile: string | undefined
  readonly names: readonly string[]
}

export interface Reading {
  readonly spot: Spot
  readonly findings: Findings
  readonly certificates: Certificates
  readonly numbers: Numbers
}

/** @returns undefined where nothing of it is left. */
export function readBind([text = '', ...words]: readonly string[], reading: Reading): Bind | undefined {
  const { spot, findings } = reading
  const addresses = text.split(',').flatMap((each) => readAddress(each, reading))
  const options = new BindOptions(reading)
  const where = { spot, findings, what: 'bind' }
  const kept = readOptions(words, BIND_OPTIONS, where, (option, rest) => options.read(option, rest[0] ?? ''))
  if (addresses.length === 0) return undefined
  const isTls = kept.includes('ssl')
  const { presents, written, others, names, isProxied, withoutTickets, keyFile } = options
  if (isTls && presents.length === 0)
    findings.refuse(spot, 'bind with ssl and without a certificate', 'name one with crt')
  return {
    spot,
    addresses,
    options: [...kept, ...presents, ...others],
    presents,
    written,
    isTls,
    isProxied,
    withoutTickets,
    keyFile,
    isGuarded: kept.some((word, at) => word === 'verify' && kept[at + 1] === 'required'),
    names: names.length === 0 ? [FALLBACK_NAME] : [...new Set(names)],
  }
}

/** The options that name files, and those that decide about tickets. */
class BindOptions {
  readonly presents: Word[] = []
  readonly written: string[] = []
  readonly others: Word[] = []
  readonly names: string[] = []
  isProxied = false
  withoutTickets = false
  keyFile: string | undefined
  readonly #reading: Reading

  constructor(reading: Reading) {
    this.#reading = reading
  }

  /** @returns how many words it took; undefined for an option that is none of these. */
  read(option: string, value: string): number | undefined {
    const { spot, certificates } = this.#reading
    switch (option) {
      case 'accept-proxy':
        this.isProxied = true
        return 0
      case 'no-tls-tickets':
        this.withoutTickets = true
        this.others.push(option)
        return 0
      case 'tls-ticket-keys':
        this.keyFile = value
        return 1
      case 'crt':
      case 'default-crt':
        this.written.push(option, value)
        this.#present(option, certificates.certificate(spot, value))
        return 1
      case 'crt-list':
        this.written.push(option, value)
        this.#presentList(value)
        return 1
      case 'ca-file':
      case 'ca-verify-file':
        this.others.push(option, certificates.authority(spot, value))
        return 1
      case 'crl-file':
        this.others.push(...certificates.optional(spot, option, value))
        return 1
      default:
        return undefined
    }
  }

  #present(option: string, { word, names }: Presented): void {
    this.presents.push(option, word)
    this.names.push(...names)
  }

  #presentList(path: string): void {
    const { spot, certificates } = this.#reading
    const list = certificates.list(spot, path)
    if (list === undefined) this.#present('crt', certificates.certificate(spot, path))
    else this.#present('crt-list', list)
  }
}
