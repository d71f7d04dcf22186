import type { Place } from '../../lambda/kernel/inspection.ts'
import { text } from '../../lambda/kernel/kinds.ts'
import { type Kind, object, optional, type Values } from '../../lambda/kernel/settings.ts'
import { CHAIN, certificateSettings, refuseOtherPlaces } from '../../lambda/staples/configuration.ts'
import { KEY_ARN, SECRET_ARN } from '../fleet/arns.ts'

/** Where a certificate's chain is, and the KMS key of the owner's that encrypts it, if one does. */
export type ChainConfiguration =
  | { readonly parameter: string; readonly key?: string }
  | { readonly secret: string; readonly field?: string; readonly key?: string }

const OWNERS_CHAIN = {
  ...CHAIN,
  secret: optional(text(SECRET_ARN, 'the whole ARN of a secret, with its six last characters')),
  key: optional(text(KEY_ARN, 'the ARN of a KMS key')),
}
/** One of the two places: {@link refuseOtherPlaces} sees to it. */
const chain = object(OWNERS_CHAIN, refuseOtherPlaces) as Kind<ChainConfiguration>

/** One certificate as configured. */
const CERTIFICATE = certificateSettings(chain)
type CertificateConfiguration = Values<typeof CERTIFICATE>
export const certificate = object(CERTIFICATE)

export const chainPath = text(/^\/(?!aws|ssm)[\w.-]+(\/[\w.-]+){0,10}$/i, 'a path such as /tls')
/**
 * Characters that the names of chains may take in a role's policies: those have 10,240, of which everything else takes
 * 3,000 in a VPC. A parameter's name becomes an ARN, and stands there again where a key encrypts it.
 */
const MOST_NAMES = 7000
const ARN_HEAD = 60

interface Chains {
  readonly certificates: readonly CertificateConfiguration[]
  readonly chainPath?: string
}

/** Notes where chains lie elsewhere than at the set's path, or are too many to be named one by one. */
export function refuseChains({ certificates, chainPath: path }: Chains, set: Place): void {
  const chains = certificates.map(({ chain }) => chain)
  const place = set.at('chainPath')
  if (path === undefined) {
    refuseTooMany(place, chains)
    return
  }
  const names = chains.flatMap((each) => ('parameter' in each ? [each.parameter] : []))
  const outside = names.find((name) => name !== '' && !name.startsWith(`${path}/`))
  if (path !== '' && outside !== undefined) place.note(`a path that the chain ${outside} is below`, path)
}

function refuseTooMany(place: Place, chains: readonly ChainConfiguration[]): void {
  const lengths = new Map(
    chains.map((each) => {
      const [name = '', head] = 'secret' in each ? [each.secret, 3] : [each.parameter, ARN_HEAD]
      return [name, (head + name.length) * (each.key === undefined ? 1 : 2)]
    }),
  )
  const total = [...lengths.values()].reduce((sum, length) => sum + length, 0)
  if (total <= MOST_NAMES) return
  const wanted = `the path of all chains, such as /tls: ${lengths.size} are more than a role can name one by one`
  place.note(wanted, undefined)
}

/** Notes a hash that HAProxy does not know, where it is among the servers. */
export function refuseHashes(certificates: Chains['certificates'], place: Place): void {
  certificates.forEach(({ hash }, index) => {
    if (hash === 'sha1') return
    place.at(index).at('hash').note('sha1: HAProxy, which is among the servers, knows no other CertID', hash)
  })
}
