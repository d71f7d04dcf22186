import { gzipSync } from 'fflate'
import { dataOf, type Entry, PACKAGE, type PackageContents, permissionsOf, TIME } from './contents.ts'

const BLOCK = 512
/** Bytes of the fields `name` and `prefix` of a header. */
const LONGEST = { name: 100, prefix: 155 }
const TYPES = { file: '0', link: '2', directory: '5' } as const

/** The tarball: unpacked at the root, it is what the packages install. */
export function buildTarball({ version, entries }: PackageContents) {
  return { name: `${PACKAGE}-${version}.tar.gz`, data: compress(tar(entries)) }
}

/** The same bytes on every Node, which its own zlib would not give. */
export function compress(data: Uint8Array): Uint8Array {
  return gzipSync(data, { level: 9, mtime: TIME * 1000 })
}

/**
 * Source: POSIX.1-2017, pax, "ustar Interchange Format".
 * @param root what the entries are unpacked into
 */
export function tar(entries: readonly Entry[], root = '.'): Uint8Array {
  const members = entries.flatMap((entry) => [
    headerOf(entry, root),
    dataOf(entry),
    paddingOf(dataOf(entry).length),
  ])
  return Buffer.concat([...members, Buffer.alloc(2 * BLOCK)])
}

function headerOf(entry: Entry, root: string): Buffer {
  const header = Buffer.alloc(BLOCK)
  const { name, prefix } = split(`${root}${entry.path}${entry.kind === 'directory' ? '/' : ''}`)
  const write = (text: string, at: number) => header.write(text, at, 'latin1')
  write(name, 0)
  write(octal(permissionsOf(entry), 7), 100)
  write(octal(0, 7), 108)
  write(octal(0, 7), 116)
  write(octal(dataOf(entry).length, 11), 124)
  write(octal(TIME, 11), 136)
  write(TYPES[entry.kind], 156)
  if (entry.kind === 'link') write(entry.target, 157)
  write('ustar\0' + '00', 257)
  write('root', 265)
  write('root', 297)
  write(prefix, 345)
  return signed(header)
}

/** The checksum counts its own field as spaces. */
function signed(header: Buffer): Buffer {
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return header
}

function split(path: string): { readonly name: string; readonly prefix: string } {
  if (path.length <= LONGEST.name) return { name: path, prefix: '' }
  const at = path.indexOf('/', path.length - LONGEST.name - 1)
  if (at < 0 || at > LONGEST.prefix) throw new RangeError(`${path} is too long for a tar file`)
  return { name: path.slice(at + 1), prefix: path.slice(0, at) }
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function paddingOf(length: number): Buffer {
  return Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK)
}
