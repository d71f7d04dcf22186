import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CertificateSetting } from '../lambda/staples/configuration.ts'
import { ecPair, respond, SCHEMES } from '../test/ocsp/forge.ts'
import { pem } from '../test/ocsp/openssl.ts'
import { bundleOf } from './bundles.ts'
import { type Bench, size } from './measurement.ts'
import { run } from './processes.ts'
import type { Burst, BurstCost } from './staple-burst-process.ts'
import { type Authority, issue, stapleConfiguration } from './staple-world.ts'
import { inMilliseconds, median, timedRuns, times } from './statistics.ts'
import type { Row } from './table.ts'

const CERTIFICATES = 1_000
/** How far away the responder is, in ms. */
const DISTANCE = 50
/** Certificates that the script is timed with. */
const SCRIPTED = 20
const LIMITS = { milliseconds: 5_000, bytes: 200_000_000 }

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const count = size(bench, CERTIFICATES, 40)
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-bench-'))
  bench.scope.defer(() => rmSync(directory, { recursive: true, force: true }))
  const now = new Date(Math.floor(Date.now() / 1000) * 1000)
  bench.progress.say(`staple-burst: making ${count} certificates and responses`)
  const authority = issue(now, count, ecPair('prime256v1'), SCHEMES.p256)
  const url = await startResponder(now, authority, bench)
  bench.progress.say(`staple-burst: asking about ${count} certificates in a fresh process`)
  const cost = await askAboutAll(authority, url, directory)
  const scripted = Math.min(SCRIPTED, count)
  bench.progress.say(`staple-burst: the script, ${scripted} certificates`)
  const each = median(await timedRuns(scripted, (index) => askByScript(authority, index, url, directory)))
  return [rowOf(count, cost, each)]
}

function rowOf(count: number, { good, milliseconds, bytes }: BurstCost, each: number): Row {
  const failed = good === count ? '' : `, ${count - good} not stapled`
  const whole = each * count
  return {
    what: `${count.toLocaleString('en')} certificates due at once, responder ${DISTANCE} ms away (the store in memory)`,
    ours: `${inMilliseconds(milliseconds)}, ${Math.round(bytes / 1e6)} MB at its highest${failed}`,
    others: [
      `openssl ocsp, one after the other: ${inMilliseconds(each)} each, so ${inMilliseconds(whole)} in all: ` +
        `${times(whole, milliseconds)} ours`,
    ],
    target: {
      text: '<= 5 s, <= 200 MB',
      met: good === count && milliseconds <= LIMITS.milliseconds && bytes <= LIMITS.bytes,
    },
  }
}

/** Answers `/N` and whatever is below it with the response about certificate N, so many ms later. */
async function startResponder(now: Date, { issuer, leaves }: Authority, { scope }: Bench): Promise<string> {
  const responses = leaves.map((leaf) => respond(now, leaf, issuer.certificate, issuer))
  const server = createServer((request, response) => {
    const index = Number(request.url?.split('/')[1])
    request.resume()
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'application/ocsp-response' }).end(responses[index])
    }, DISTANCE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  scope.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function askAboutAll(
  { issuer, leaves }: Authority,
  url: string,
  directory: string,
): Promise<BurstCost> {
  const file = join(directory, 'burst.mjs')
  await bundleOf('bench/staple-burst-process.ts', file, 'pruned')
  const parent = pem(issuer.certificate.der)
  const chains = leaves.map((leaf, index) => [`/chain/${index}`, pem(leaf.der) + parent])
  const settings = leaves.map(
    (_, index): CertificateSetting => ({
      name: `host-${index}`,
      chain: { parameter: `/chain/${index}` },
      // The owner's own word: a responder on loopback is reached by no other.
      url: `${url}/${index}`,
      hash: 'sha1',
      revoked: 'staple',
      mustStaple: 'withdraw',
    }),
  )
  const burst: Burst = { configuration: stapleConfiguration(settings), chains: Object.fromEntries(chains) }
  return JSON.parse(await run(process.execPath, [file], { input: JSON.stringify(burst) }))
}

/** What HAProxy's blog has a cron job do for each certificate: ask, verify, write. */
async function askByScript(
  { issuer, leaves }: Authority,
  index: number,
  url: string,
  directory: string,
): Promise<void> {
  writeFileSync(join(directory, 'issuer.pem'), pem(issuer.certificate.der))
  writeFileSync(join(directory, 'leaf.pem'), pem(leaves[index]?.der ?? Buffer.alloc(0)))
  const files = [
    '-issuer',
    'issuer.pem',
    '-cert',
    'leaf.pem',
    '-CAfile',
    'issuer.pem',
    '-respout',
    'leaf.ocsp',
  ]
  const words = ['ocsp', '-partial_chain', '-no_nonce', ...files, '-url', `${url}/${index}`]
  const said = await run('openssl', words, { directory })
  if (!said.includes(': good')) throw new Error(`openssl says: ${said}`)
}
