import { readFileSync } from 'node:fs'
import { decodePem } from '../../lambda/ocsp/pem.ts'
import type { Bench } from './openssl.ts'

const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

/** Arguments of `openssl req -x509` for certificates that are legal, and that few programs have met. */
const ODD: Readonly<Record<string, readonly string[]>> = {
  'an empty subject': [...P256, '-subj', '/'],
  'a name of several parts in one': [...P256, '-multivalue-rdn', '-subj', '/CN=a+O=b/OU=c'],
  'a name with line ends and a direction mark': [...P256, '-utf8', '-subj', '/CN=a\nb\r\u202ec'],
  'a name of Japanese': [...P256, '-utf8', '-subj', '/CN=認証局'],
  'a serial of zero': [...P256, '-subj', '/CN=zero', '-set_serial', '0'],
  'a negative serial': [...P256, '-subj', '/CN=negative', '-set_serial', '-5'],
  'dates far in the future': [...P256, '-subj', '/CN=late', '-days', '30000'],
  'a curve spelt out': [...P256, '-pkeyopt', 'ec_param_enc:explicit', '-subj', '/CN=explicit'],
  'an Ed448 key': ['-newkey', 'ed448', '-subj', '/CN=ed448'],
  'a key for RSA-PSS alone': ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048', '-subj', '/CN=pss'],
  'an empty list of purposes': [...P256, '-subj', '/CN=ext', '-addext', '2.5.29.37=DER:3000'],
  'a key usage of nothing': [...P256, '-subj', '/CN=ext', '-addext', '2.5.29.15=critical,DER:030100'],
  'garbage as its access information': [...P256, '-subj', '/CN=ext', '-addext', '1.3.6.1.5.5.7.1.1=DER:0403'],
  'an empty access description': [...P256, '-subj', '/CN=ext', '-addext', '1.3.6.1.5.5.7.1.1=DER:30023000'],
  'an empty list of TLS features': [...P256, '-subj', '/CN=ext', '-addext', '1.3.6.1.5.5.7.1.24=DER:3000'],
}

/** Makes each of them by the openssl command. @returns DER by what is odd about it. */
export async function makeOddCertificates(bench: Bench): Promise<ReadonlyMap<string, Buffer>> {
  const made = Object.entries(ODD).map(async ([what, args], index) => {
    const files = ['-keyout', `odd-${index}.key`, '-out', `odd-${index}.pem`]
    const said = await bench.openssl('req', '-x509', '-nodes', ...args, ...files)
    const [der] = decodePem(readFileSync(bench.file(`odd-${index}.pem`), 'latin1'), ['CERTIFICATE'])
    if (der === undefined) throw new RangeError(`${what}: ${said}`)
    return [what, der] as const
  })
  return new Map(await Promise.all(made))
}
