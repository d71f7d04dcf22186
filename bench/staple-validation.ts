import { prepareSubject } from '../lambda/ocsp/subject.ts'
import { validateResponse } from '../lambda/ocsp/validation.ts'
import { ecPair, respond, rsaPair, SCHEMES } from '../test/ocsp/forge.ts'
import { opensslVerdict, pem, Bench as Workshop } from '../test/ocsp/openssl.ts'
import { type Bench, size } from './measurement.ts'
import { type Authority, issue } from './staple-world.ts'
import { inMilliseconds, median, timedRuns, times } from './statistics.ts'
import { atMost, type Row } from './table.ts'

const RESPONSES = 200
/** Each response is judged this often, so that what is measured is no cold start. */
const ROUNDS = 5
const PROCESSES = 25
/** ms */
const LIMIT = 1

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const count = size(bench, RESPONSES, 10)
  return [
    await measureKind('RSA 2048', issue(wholeSecond(), count, rsaPair(2048), SCHEMES.rsa), bench),
    await measureKind('ECDSA P-256', issue(wholeSecond(), count, ecPair('prime256v1'), SCHEMES.p256), bench),
  ]
}

/** A response has no milliseconds. */
function wholeSecond(): Date {
  return new Date(Math.floor(Date.now() / 1000) * 1000)
}

async function measureKind(kind: string, { issuer, leaves }: Authority, bench: Bench): Promise<Row> {
  const now = wholeSecond()
  const responses = leaves.map((leaf) => respond(now, leaf, issuer.certificate, issuer))
  const subjects = leaves.map((leaf) => prepareSubject(leaf, issuer.certificate))
  bench.progress.say(`staple-validation: ${kind}, ${leaves.length} responses`)
  const judge = (turn: number) => {
    const index = turn % leaves.length
    const verdict = validateResponse(
      responses[index] as Buffer,
      subjects[index] as (typeof subjects)[number],
      { now },
    )
    if (verdict.verdict !== 'good') throw new Error(`a sound response was ${verdict.verdict}`)
  }
  const ours = median(await timedRuns(leaves.length * ROUNDS, judge))
  const prepared = median(
    await timedRuns(leaves.length, (turn) =>
      prepareSubject(leaves[turn] as (typeof leaves)[number], issuer.certificate),
    ),
  )
  const theirs = median(await opensslTimes(kind, { issuer, leaves }, responses, bench))
  return {
    what: `validation of one OCSP response, ${kind} (median of ${leaves.length * ROUNDS})`,
    ours: `${inMilliseconds(ours)} (+ ${inMilliseconds(prepared)} once per certificate)`,
    others: [`an openssl ocsp process: ${inMilliseconds(theirs)}, ${times(theirs, ours)} ours`],
    target: atMost(LIMIT, 'ms', ours),
  }
}

async function opensslTimes(
  kind: string,
  { issuer, leaves }: Authority,
  responses: readonly Buffer[],
  bench: Bench,
): Promise<number[]> {
  const workshop = new Workshop()
  bench.scope.defer(() => workshop.remove())
  workshop.file('issuer.pem', pem(issuer.certificate.der))
  workshop.file('leaf.pem', pem(leaves[0]?.der ?? Buffer.alloc(0)))
  const runs = size(bench, PROCESSES, 3)
  bench.progress.say(`staple-validation: ${kind}, ${runs} openssl processes`)
  return timedRuns(runs, async () => {
    const { verdict, said } = await opensslVerdict(workshop, responses[0] as Buffer, 'leaf.pem', 'issuer.pem')
    if (verdict !== 'good') throw new Error(`openssl says: ${said}`)
  })
}
