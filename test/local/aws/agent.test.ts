import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, type AgentResult } from '../../../local/aws/agent.ts'
import { commandOutput, streamOutput } from '../../../local/aws/agent-output.ts'
import { parseDocument } from '../../../local/aws/document.ts'

const folder = mkdtempSync(join(tmpdir(), 'loopback-agent-'))
const USUAL_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
/** A machine's `sh` is the first one on its agent's PATH. */
const BASH_FIRST = `${folder}/bash:${USUAL_PATH}`
const before = process.umask()
beforeAll(() => {
  mkdirSync(`${folder}/bash`)
  symlinkSync('/bin/bash', `${folder}/bash/sh`)
  process.umask(0o077)
})
afterAll(() => {
  process.umask(before)
  rmSync(folder, { recursive: true })
})

interface Trial {
  readonly PATH?: string
  readonly seconds?: number
  readonly agent?: 'current' | 'old'
  readonly kind?: 'command' | 'association'
  /** Once it has printed something, the machine goes down. */
  readonly reboot?: boolean
}

let runs = 0
/** Runs the lines as a document's script. */
async function run(runCommand: readonly string[], trial: Trial = {}): Promise<AgentResult> {
  const { PATH = USUAL_PATH, seconds = 60, agent: age = 'current', kind = 'command' } = trial
  runs += 1
  const id = `run-${runs}`
  const Generation = { type: 'String', default: '1', interpolationType: 'ENV_VAR' }
  const step = {
    action: 'aws:runShellScript',
    name: 'apply',
    inputs: { runCommand, timeoutSeconds: seconds },
  }
  const content = { schemaVersion: '2.2', parameters: { Generation }, mainSteps: [step] }
  const machine = {
    id: 'i-0123456789abcdef0',
    tags: {},
    role: '',
    environment: {},
    workdir: folder,
    agent: age,
  }
  const agent = new Agent(machine, () => ({ PATH, AWS_SSM_INSTANCE_ID: machine.id }))
  const ended = agent.run({ id, kind }, parseDocument('Document', 'd', content), { Generation: '7' })
  if (trial.reboot) {
    const stdout = join(folder, id, 'apply', '0.awsrunShellScript', 'stdout')
    await expect.poll(() => readFileSync(stdout, 'utf8')).not.toBe('')
    agent.reboot()
  }
  return ended
}

const note = (error: string) => `failed to run commands: ${error}`
const success = (stdout: string) => ({ status: 'Success', exitCode: 0, stdout, stderr: '' })
const failed = (exitCode: number, error: string) => ({ status: 'Failed', exitCode, stderr: note(error) })

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are the shell's
/** Measured with amazon-ssm-agent's own code: what a script is given, and what is made of how it ends. */
const MEASURED: readonly (readonly [string, readonly string[], object, Trial?])[] = [
  ['the working directory is /usr/bin', ['pwd'], success('/usr/bin\n')],
  [
    'the script is a file that can be executed, in folders of its own, and its output is private',
    ['cd "${0%/*}"', 'stat -c "%a %n" _script.sh stdout stderr . ..'],
    success('700 _script.sh\n600 stdout\n600 stderr\n700 .\n700 ..\n'),
  ],
  ['standard input is empty', ['readlink /proc/self/fd/0', 'cat'], success('/dev/null\n')],
  ['files are made with umask 022', ['umask'], success('0022\n')],
  ['lines are joined by newlines', ["printf '%s' a\\", 'b'], success('ab')],
  ['a command that fails does not end the script', ['false', 'echo on'], success('on\n')],
  [
    'the environment is what the agent has, the working directory, the parameter and the id of the command',
    ["tr '\\0' '\\n' </proc/$$/environ | sort"],
    success(
      `AWS_SSM_INSTANCE_ID=i-0123456789abcdef0\nPATH=${USUAL_PATH}\nPWD=/usr/bin\nSSM_COMMAND_ID=run-7\nSSM_Generation=7\n`,
    ),
  ],
  [
    "an association's script has no id of a command",
    ['echo "${SSM_COMMAND_ID-none}"'],
    success('none\n'),
    { kind: 'association' },
  ],
  [
    'a parameter is a variable, and its name in the text stands for that variable',
    ["echo '{{Generation}}' {{ Generation }} $SSM_Generation"],
    success('$SSM_Generation 7 7\n'),
  ],
  [
    'on an old agent a parameter is text, and no variable',
    ["echo '{{Generation}}' {{ Generation }} $SSM_Generation"],
    success('7 7\n'),
    { agent: 'old' },
  ],
  [
    'a note follows what was printed, without a newline',
    ['printf oops >&2', 'exit 3'],
    {
      status: 'Failed',
      exitCode: 3,
      stdout: '',
      stderr: `oops${note('exit status 3')}`,
    },
  ],
  ['exit 137 is a time-out', ['exit 137'], { status: 'TimedOut', exitCode: 137, stdout: '', stderr: '' }],
  ['SIGKILL is a time-out under dash', ['kill -KILL $$'], { status: 'TimedOut', exitCode: 137 }],
  ['SIGKILL is a failure under bash', ['kill -KILL $$'], failed(-1, 'signal: killed'), { PATH: BASH_FIRST }],
  ['SIGKILL to the group is a failure', ['kill -KILL 0'], failed(-1, 'signal: killed')],
  ['SIGTERM is an exit status under dash', ['kill -TERM $$'], { status: 'Failed', exitCode: 143 }],
  ['SIGTERM is none under bash', ['kill -TERM $$'], failed(-1, 'signal: terminated'), { PATH: BASH_FIRST }],
  ['exit 168 is a success, whatever was said', ['echo x >&2', 'exit 168'], { ...success(''), exitCode: 168 }],
  [
    'exit 194 restarts the machine, and the document begins again',
    ['echo begun', '[ ! -e "$0.done" ] || exit 0', ': >"$0.done"', 'exit 194'],
    success('begun\nbegun\n'),
  ],
  [
    'a document that was interrupted begins again',
    ['echo begun', '[ ! -e "$0.done" ] || exit 0', ': >"$0.done"', 'sleep 60'],
    success('begun\nbegun\n'),
    { reboot: true },
  ],
  [
    'a script that takes too long is killed with its group, without a word, and no trap runs',
    ["trap 'echo trapped' EXIT TERM", 'echo begun', 'sleep 60'],
    { status: 'TimedOut', exitCode: 137, stdout: 'begun\n', stderr: '' },
    { seconds: 5 },
  ],
  ['less than 5 seconds is an hour', ['sleep 5', 'echo done'], success('done\n'), { seconds: 4 }],
  [
    'a daemon that holds the output has the agent wait, and then find nothing to kill',
    ['setsid sleep 7 &', 'echo begun'],
    { ...failed(1, 'no such process'), stdout: 'begun\n' },
    { seconds: 5 },
  ],
  [
    'a daemon that lets go of the output is not waited for',
    ['setsid sleep 7 >/dev/null 2>&1 &', 'echo begun'],
    success('begun\n'),
    { seconds: 5 },
  ],
]
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: these are the shell's

describe.concurrent('as the agent does it', () => {
  for (const [what, lines, result, trial] of MEASURED) {
    test(what, async ({ expect }) => expect(await run(lines, trial)).toMatchObject(result))
  }
})

test('a document that never gets to its end is begun fifteen times', async () => {
  const { stdout } = await run(['echo begun', 'exit 194'])
  expect(stdout).toBe('begun\n'.repeat(15))
})

describe('what an agent sends of its output', () => {
  test('is less than 2,500 bytes, both streams and what stands between included', () => {
    expect(commandOutput('x'.repeat(2499), '')).toBe('x'.repeat(2499))
    expect(commandOutput('x'.repeat(2500), '')).toBe(`${'x'.repeat(2477)}\n---Output truncated---`)
    const separated = `\n----------ERROR-------\n${'y'.repeat(100)}`
    expect(commandOutput('x'.repeat(2375), 'y'.repeat(100))).toBe('x'.repeat(2375) + separated)
    expect(commandOutput('x'.repeat(2376), 'y'.repeat(100))).toMatch(
      /^x+\n---Output truncated---\n-+ERROR-+\ny{100}$/,
    )
  })

  test('is cut where it is longer, or half and half', () => {
    expect(commandOutput('x', 'y'.repeat(3000))).toMatch(/^x\n-+ERROR-+\ny+\n---Error truncated----$/)
    expect(commandOutput('x'.repeat(3000), 'y'.repeat(3000))).toMatch(
      /^(x+)\n---Output truncated---\n-+ERROR-+\n(y+)\n---Error truncated----$/,
    )
    const shown = commandOutput('x'.repeat(3000), 'y'.repeat(3000))
    expect(shown.match(/x/g)).toHaveLength(shown.match(/y/g)?.length ?? 0)
  })

  test('is counted in bytes', () => {
    // The 2,477th byte is half a character.
    expect(commandOutput('é'.repeat(1300), '')).toMatch(/^é{1238}\uFFFD\n---Output truncated---$/)
    expect(commandOutput('é'.repeat(1250), '')).toContain('truncated')
    expect(commandOutput('é'.repeat(1240), '')).toBe('é'.repeat(1240))
  })

  test('is the beginning of each stream where it is asked for whole', () => {
    expect(streamOutput('x'.repeat(23_999), 24_000)).toHaveLength(23_999)
    expect(streamOutput('x'.repeat(24_000), 24_000)).toBe(`${'x'.repeat(23_980)}--output truncated--`)
  })
})
