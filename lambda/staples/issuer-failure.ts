import { excerpt } from '../kernel/excerpt.ts'
import type { TryFailure } from './failure.ts'

/** Why a URL did not give the issuer. */
export interface IssuerFailure {
  readonly url: string
  readonly failure: TryFailure
}

/** Certificates came, but not the issuer's. */
export const STRANGERS: TryFailure = {
  code: 'issuer-missing',
  detail: 'none there issued it',
  kind: 'permanent',
  remedy: 'none',
}

/**
 * What it amounts to that no URL gave the issuer. Where each one might yet, as far as its failure tells, it is that
 * failure, and is tried again soon; else the issuer is missing until the owner does something about it.
 * @param unread certificates of the chain that could not be read.
 */
export function failureOfIssuers(failures: readonly IssuerFailure[], unread: number): TryFailure {
  const reasons = failures.map(({ url, failure }) => `${excerpt(url)}: ${failure.detail}`).join('; ')
  const chain = unread === 0 ? 'a chain without it' : `a chain of which ${unread} certificates cannot be read`
  const came = reasons || `${chain}, and no caIssuers URL in the certificate`
  const detail = `wanted the issuer, by name and signature; got ${came}`
  const [first] = failures
  if (first === undefined || failures.some(({ failure }) => failure.kind === 'permanent'))
    return { ...STRANGERS, detail }
  const { rule: _, ...failure } = first.failure
  return { ...failure, detail, remedy: 'none' }
}
