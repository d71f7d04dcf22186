import { CERTIFICATE_FIELDS, type CertificateSetting } from '../../lambda/staples/configuration.ts'
import { KEY_ARN, SECRET_ARN } from '../fleet/arns.ts'
import type { Inspection, Section } from '../fleet/inspection.ts'

/** Where a certificate's chain is, and the KMS key of the owner's that encrypts it, if one does. */
export type ChainConfiguration =
  | { readonly parameter: string; readonly key?: string }
  | { readonly secret: string; readonly field?: string; readonly key?: string }

/** One certificate as configured. */
export interface CertificateConfiguration extends Omit<CertificateSetting, 'chain'> {
  readonly chain: ChainConfiguration
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._*-]{0,63}$/
// Parameter Store keeps names that begin with aws or ssm for itself.
const PARAMETER = /^(?!\/?(aws|ssm))(\/?[\w.-]+|(\/[\w.-]+){2,15})$/i

/** Reads one certificate and notes what is wrong with it; `haproxy`: whether one of the set's servers is HAProxy. */
export function readCertificate(
  inspection: Inspection,
  value: unknown,
  path: string,
  haproxy: boolean,
): CertificateConfiguration {
  const certificate = inspection.section(path, value, CERTIFICATE_FIELDS)
  return {
    name: certificate.text('name', NAME, 'a name of 1 to 64 letters, digits and . _ * -'),
    chain: readChain(certificate),
    ...(certificate.has('url') ? { url: readUrl(certificate, 'url', ['http:', 'https:']) } : {}),
    ...(certificate.has('proxy') ? { proxy: readUrl(certificate, 'proxy', ['http:']) } : {}),
    hash: readHash(certificate, haproxy),
    revoked: certificate.oneOf('revoked', ['staple', 'withhold'], 'staple'),
    mustStaple: certificate.oneOf('mustStaple', ['withdraw', 'keep-until-end'], 'withdraw'),
    ...(certificate.has('allowSha1') ? { allowSha1: certificate.flag('allowSha1') } : {}),
    ...(certificate.has('maxAge') ? { maxAge: certificate.duration('maxAge', Number.NaN) } : {}),
  }
}

function readChain(certificate: Section): ChainConfiguration {
  const chain = certificate.section('chain', ['parameter', 'secret', 'field', 'key'])
  const key = chain.has('key') ? { key: chain.text('key', KEY_ARN, 'the ARN of a KMS key') } : {}
  if (chain.has('parameter') && chain.has('secret')) {
    chain.refuse('secret', 'absent beside parameter: one of the two has the chain', '')
  }
  if (!chain.has('secret')) {
    if (chain.has('field')) chain.refuse('field', 'absent: only a secret has fields', '')
    return {
      parameter: chain.text('parameter', PARAMETER, 'the name of an SSM parameter, or else secret'),
      ...key,
    }
  }
  return {
    secret: chain.text('secret', SECRET_ARN, 'the whole ARN of a secret, with its six last characters'),
    ...(chain.has('field') ? { field: chain.text('field', /./, 'the name of a field') } : {}),
    ...key,
  }
}

function readHash(certificate: Section, haproxy: boolean): 'sha1' | 'sha256' {
  const hash = certificate.oneOf('hash', ['sha1', 'sha256'], 'sha1')
  if (hash === 'sha256' && haproxy) {
    certificate.refuse('hash', 'sha1: HAProxy, which is among the servers, knows no other CertID', hash)
  }
  return hash
}

function readUrl(certificate: Section, name: string, schemes: readonly string[]): string {
  const fits = (text: string) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url !== undefined && schemes.includes(url.protocol) && url.username === '' && url.password === ''
  }
  const kinds = schemes.map((scheme) => scheme.slice(0, -1)).join(' or ')
  return certificate.text(name, fits, `a URL of ${kinds} without credentials`)
}

const CHAIN_PATH = /^\/(?!aws|ssm)[\w.-]+(\/[\w.-]+){0,10}$/i
/**
 * Characters that the names of chains may take in a role's policies: those have 10,240, of which everything else takes
 * 3,000 in a VPC. A parameter's name becomes an ARN, and stands there again where a key encrypts it.
 */
const MOST_NAMES = 7000
const ARN_HEAD = 60

/**
 * Reads the path of a set's chains.
 * @returns the path, if there is one; notes where chains lie elsewhere, or are too many to be named one by one.
 */
export function readChainPath(
  set: Section,
  certificates: readonly CertificateConfiguration[],
): { readonly chainPath?: string } {
  const chains = certificates.map(({ chain }) => chain)
  if (!set.has('chainPath')) {
    refuseTooMany(set, chains)
    return {}
  }
  const chainPath = set.text('chainPath', CHAIN_PATH, 'a path such as /tls')
  const names = chains.flatMap((chain) => ('parameter' in chain ? [chain.parameter] : []))
  const outside = names.find((name) => name !== '' && !name.startsWith(`${chainPath}/`))
  if (chainPath !== '' && outside !== undefined) {
    set.refuse('chainPath', `a path that the chain ${outside} is below`, undefined)
  }
  return { chainPath }
}

function refuseTooMany(set: Section, chains: readonly ChainConfiguration[]): void {
  const lengths = new Map(
    chains.map((chain) => {
      const [name, head] = 'secret' in chain ? [chain.secret, 3] : [chain.parameter, ARN_HEAD]
      return [name, (head + name.length) * (chain.key === undefined ? 1 : 2)]
    }),
  )
  const total = [...lengths.values()].reduce((sum, length) => sum + length, 0)
  if (total <= MOST_NAMES) return
  const wanted = `the path of all chains, such as /tls: ${lengths.size} are more than a role can name one by one`
  set.refuse('chainPath', wanted, undefined)
}
