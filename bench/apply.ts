import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CREDENTIALS } from '../test/agent/endpoint.ts'
import { advanced, Instance, ringOf } from '../test/agent/instance.ts'
import { writeDeliveredProgram } from './delivered-program.ts'
import { type Bench, size } from './measurement.ts'
import { isInstalled, run } from './processes.ts'
import { inMilliseconds, median, timedRuns, times } from './statistics.ts'
import { atMost, type Row } from './table.ts'

const RUNS = 15
const BASELINE_RUNS = 5
/** A run's time in fetches by the AWS CLI, and the programs that it starts, itself included. */
const LIMITS = {
  haproxy: { unchanged: { share: 0.12, programs: 3 }, new: { share: 0.16, programs: 6 } },
  nginx: { unchanged: { share: 0.12, programs: 3 }, new: { share: 0.5, programs: 6 } },
} as const
type Kind = keyof typeof LIMITS.haproxy
/** What the documents of a fleet with both have in them. */
const KINDS = ['haproxy', 'nginx'] as const

/** What a document brought the machine. */
const programOf = ({ terminator }: Instance) => join(terminator.directory, 'program')

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const server of KINDS) rows.push(...(await measureServer(server, bench)))
  return rows
}

async function measureServer(server: 'haproxy' | 'nginx', bench: Bench): Promise<readonly Row[]> {
  const instance = await Instance.start(server, ringOf(1))
  bench.scope.defer(() => instance.stop())
  const runs = size(bench, RUNS, 3)
  let ring = ringOf(1)
  const renew = () => {
    ring = advanced(ring)
    instance.publish(ring)
  }
  writeDeliveredProgram(programOf(instance), KINDS)
  await applied(instance)
  const baseline = await baselines(instance, bench)
  const rows = async (kind: Kind, before: () => void): Promise<readonly Row[]> => {
    bench.progress.say(`apply: ${server}, ${kind} ring, ${runs} runs`)
    const spent: number[] = []
    for (let each = 0; each < runs; each += 1) {
      before()
      spent.push(...(await timedRuns(1, () => applied(instance))))
    }
    before()
    return [
      timeRow(
        `one apply, ${server}, ${kind} ring (median of ${runs})`,
        median(spent),
        baseline,
        LIMITS[server][kind].share,
      ),
      ...programRows(`programs started by it`, await programsStarted(instance), LIMITS[server][kind]),
    ]
  }
  return [...(await rows('unchanged', () => {})), ...(await rows('new', renew))]
}

function timeRow(what: string, middle: number, baseline: readonly Baseline[], share: number): Row {
  const cli = baseline.find(({ name }) => name === CLI)?.middle
  return {
    what,
    ours: inMilliseconds(middle),
    others: baseline.map(({ name, middle: other }) =>
      other === undefined
        ? name
        : `${name}: ${inMilliseconds(other)}; an apply is ${times(middle, other)} that`,
    ),
    ...(cli === undefined ? {} : { target: atMost(share, 'x the CLI', middle / cli) }),
  }
}

function programRows(
  what: string,
  count: number,
  limit: { readonly share: number; readonly programs?: number },
): readonly Row[] {
  const target = limit.programs === undefined ? {} : { target: atMost(limit.programs, '', count) }
  return [{ what, ours: String(count), others: [], ...target }]
}

const CLI = 'one fetch by the AWS CLI'

/** Credentials come from the metadata service, as on a real machine. */
const BY_ROLE = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
}

/** @throws Error if the run did not end well: its time would mean nothing. */
async function applied(instance: Instance, prefix: readonly string[] = []): Promise<void> {
  const { code, stdout } = await instance.run({ environment: BY_ROLE, prefix, program: programOf(instance) })
  if (code !== 0) throw new Error(`the program failed: ${stdout.trim()}`)
}

/** Counts execs that succeeded, its own included, in one run under strace. */
async function programsStarted(instance: Instance): Promise<number> {
  const trace = join(instance.terminator.directory, 'execs')
  await applied(instance, ['strace', '-f', '-qq', '--seccomp-bpf', '-e', 'trace=execve', '-o', trace])
  return readFileSync(trace, 'utf8').match(/execve\(.* = 0$/gm)?.length ?? 0
}

interface Baseline {
  readonly name: string
  /** ms; undefined where it could not be taken. */
  readonly middle?: number
}

/** What merely fetching the secret takes. */
async function baselines(instance: Instance, bench: Bench): Promise<readonly Baseline[]> {
  const runs = size(bench, BASELINE_RUNS, 1)
  bench.progress.say(`apply: ${instance.terminator.server}, a fetch alone, ${runs} runs of each`)
  const curl = median(await timedRuns(runs, () => fetchByCurl(instance)))
  const baseline = [{ name: 'one fetch by curl', middle: curl }]
  if (!isInstalled('aws')) return [...baseline, { name: 'left out: the AWS CLI is not installed' }]
  const cli = median(await timedRuns(runs, () => fetchByCli(instance)))
  return [...baseline, { name: CLI, middle: cli }]
}

async function fetchByCurl(instance: Instance): Promise<void> {
  const { accessKeyId, secretAccessKey, sessionToken } = CREDENTIALS
  const request = [
    `url = "${instance.endpoint.url}/"`,
    'aws-sigv4 = "aws:amz:eu-central-1:secretsmanager"',
    `user = "${accessKeyId}:${secretAccessKey}"`,
    `header = "X-Amz-Security-Token: ${sessionToken}"`,
    'header = "X-Amz-Target: secretsmanager.GetSecretValue"',
    'header = "Content-Type: application/x-amz-json-1.1"',
    'data = "{\\"SecretId\\":\\"ticketring/edge\\",\\"VersionStage\\":\\"AWSCURRENT\\"}"',
  ]
  await run('curl', ['-q', '-sS', '--fail', '-K', '-'], { input: `${request.join('\n')}\n` })
}

async function fetchByCli(instance: Instance): Promise<void> {
  const what = ['--secret-id', 'ticketring/edge', '--version-stage', 'AWSCURRENT']
  const words = ['secretsmanager', 'get-secret-value', ...what, '--endpoint-url', instance.endpoint.url]
  await run('aws', words, { environment: { ...instance.environment(), AWS_DEFAULT_REGION: 'eu-central-1' } })
}
