import { toLayout } from '../../lambda/ring/layouts.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { rendered } from './instance.ts'

/** What the server's key files are to hold, as `Instance.files` reads them. */
export function expectedFiles(ring: Ring, server: 'haproxy' | 'nginx'): string {
  if (server === 'haproxy') return Buffer.from(`${rendered(ring, 'haproxy-80').join('\n')}\n`).toString('hex')
  return [ring.current, ring.next, ring.previous]
    .map((key) => toLayout(key, 'nginx-80').toString('hex'))
    .join(' ')
}
