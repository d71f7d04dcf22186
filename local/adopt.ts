import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { isRefusal, TicketringError } from '../lambda/kernel/errors.ts'
import { NAME } from '../lambda/kernel/fields.ts'
import { fromLayout, losslessLayout } from '../lambda/ring/layouts.ts'
import { adopt, type Ring, serialiseRing } from '../lambda/ring/ring.ts'
import type { TicketKey } from '../lambda/ring/ticket-key.ts'
import { tolerateClosedPipes } from './closed-pipe.ts'
import { HELP } from './help-option.ts'

const USAGE = `npm run --silent adopt -- --ring NAME --layout LAYOUT FILE...

Prints a ring over the keys that a fleet already runs on, for the secret of a ring that starts paused:

  npm run --silent adopt -- --ring edge --layout haproxy-80 /run/ticketring/edge/haproxy.keys |
    aws secretsmanager put-secret-value --secret-id ticketring/edge --secret-string file:///dev/stdin

  --ring NAME      the ring's configured name
  --layout LAYOUT  haproxy-80: one file of three base64 lines; the middle key encrypts
                   nginx-80: three files of 80 bytes, in the order previous, current, next
  -h, --help       this text

The next tick delivers it. 48-byte keys hold too little material to be adopted: have new ones made.
What is printed is key material: pipe it, do not store it.
`

/** Three keys, oldest to newest, from the files as the layout has them. */
function readKeys(layout: 'haproxy-80' | 'nginx-80', files: readonly string[]): readonly TicketKey[] {
  if (layout === 'nginx-80') return files.map((file) => fromLayout(readFileSync(file), layout))
  const lines = files.flatMap((file) => readFileSync(file, 'latin1').trim().split('\n'))
  // HAProxy uses the last three lines of its file, however many there are.
  return lines.slice(-3).map((line) => fromLayout(Buffer.from(line.trim(), 'base64'), layout))
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ring: { type: 'string' }, layout: { type: 'string' }, help: HELP },
  })
  if (values.help === true) {
    process.stdout.write(USAGE)
    return
  }
  const ring = nameOf(values.ring)
  const layout = losslessLayout(values.layout ?? '')
  process.stdout.write(serialiseRing(adopted(ring, layout, positionals)))
}

/** What is no ring here is the files' doing, not the secret's. */
function adopted(ring: string, layout: 'haproxy-80' | 'nginx-80', files: readonly string[]): Ring {
  try {
    return adopt(ring, randomUUID(), new Date(), threeOf(readKeys(layout, files)))
  } catch (error) {
    if (!isRefusal(error, 'key-weak', 'key-repeated')) throw error
    const { code, wanted, came } = error
    const fix = 'Such keys are not adopted: name other files, or have new keys made'
    throw new TicketringError(code, { wanted, came, fix })
  }
}

function nameOf(ring = ''): string {
  if (NAME.test(ring)) return ring
  throw new TicketringError('request-invalid', {
    wanted: '--ring with the name that cdk.json gives the ring',
    came: ring === '' ? 'none' : JSON.stringify(ring.slice(0, 64)),
    fix: 'See --help',
  })
}

function threeOf(keys: readonly TicketKey[]) {
  const [previous, current, next, ...more] = keys
  if (previous && current && next && more.length === 0) return { previous, current, next }
  throw new TicketringError('request-invalid', {
    wanted: 'three keys in the files named',
    came: `${keys.length}`,
    fix: 'See --help for the files that each layout takes',
  })
}

tolerateClosedPipes()
try {
  main()
} catch (error) {
  process.stderr.write(`adopt: ${isRefusal(error) || error instanceof Error ? error.message : 'failed'}\n`)
  process.exitCode = 2
}
