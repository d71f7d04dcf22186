import { dataOf, type Entry, PACKAGE, type PackageContents, SUMMARY, TIME } from './contents.ts'
import { compress, tar } from './tar.ts'

/** A package of Debian and its like: no script of it runs, so it installs into any root. Source: deb(5), deb-control(5). */
export function buildDeb(contents: PackageContents) {
  const { version, entries } = contents
  const control = { kind: 'file' as const, path: '/control', data: Buffer.from(controlOf(contents)) }
  const data = ar([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', compress(tar([{ kind: 'directory', path: '' }, control]))],
    ['data.tar.gz', compress(tar(withParents(entries)))],
  ])
  return { name: `${PACKAGE}_${version}_all.deb`, data }
}

function controlOf({ version, hash, entries }: PackageContents): string {
  const kilobytes = entries.reduce(
    (sum, entry) => sum + Math.ceil(dataOf(entry).length / 1024),
    entries.length,
  )
  return `Package: ${PACKAGE}
Version: ${version}
Architecture: all
Maintainer: the project ticketring
Installed-Size: ${kilobytes}
Depends: python3 (>= 3.9), openssl
Section: net
Priority: optional
Description: ${SUMMARY}
 The program of a machine, as SHA-256 ${hash}, and its boot units.
`
}

/** dpkg makes no directory that a package does not name; those that are there it leaves as they are. */
function withParents(entries: readonly Entry[]): readonly Entry[] {
  const named = new Set(entries.map(({ path }) => path))
  const parents = new Set(entries.flatMap(({ path }) => parentsOf(path)).filter((path) => !named.has(path)))
  const directories = [...parents].map((path) => ({ kind: 'directory' as const, path }))
  return [...directories, ...entries].sort((a, b) => (a.path < b.path ? -1 : 1))
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

/** Source: ar(5), as deb(5) narrows it down. */
function ar(members: readonly (readonly [name: string, data: Uint8Array])[]): Uint8Array {
  const parts = members.flatMap(([name, data]) => {
    const fields = [
      name.padEnd(16),
      String(TIME).padEnd(12),
      '0'.padEnd(6),
      '0'.padEnd(6),
      '100644'.padEnd(8),
    ]
    const header = `${fields.join('')}${String(data.length).padEnd(10)}\`\n`
    return [Buffer.from(header), data, Buffer.from(data.length % 2 === 0 ? '' : '\n')]
  })
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts])
}
