import { createHash } from 'node:crypto'
import { dirname } from 'node:path/posix'
import {
  dataOf,
  type Entry,
  PACKAGE,
  type PackageContents,
  permissionsOf,
  SUMMARY,
  TIME,
} from './contents.ts'
import { header, type TagValue } from './rpm-header.ts'
import { compress } from './tar.ts'

const RELEASE = '1'
/** Frames of the signature and of the header proper. */
const SIGNATURES = 62
const IMMUTABLE = 63
const SHA256 = 8

/** A package of Red Hat and its like, for any architecture, without scripts. Source: RPM's file format 4, tags of rpmtag.h. */
export function buildRpm(contents: PackageContents) {
  const { version, entries } = contents
  const archive = cpio(entries)
  const payload = compress(archive)
  const main = header(IMMUTABLE, new Map([...aboutPackage(contents, payload), ...aboutFiles(entries)]))
  const signature = header(SIGNATURES, signatureTags(main, payload, archive))
  const padding = Buffer.alloc((8 - (signature.length % 8)) % 8)
  const data = Buffer.concat([lead(`${PACKAGE}-${version}-${RELEASE}`), signature, padding, main, payload])
  return { name: `${PACKAGE}-${version}-${RELEASE}.noarch.rpm`, data }
}

/** What tells file(1) what it is; rpm itself reads no more than its magic. */
function lead(name: string): Buffer {
  const data = Buffer.alloc(96)
  data.writeUInt32BE(0xedabeedb, 0)
  data.writeUInt8(3, 4)
  data.write(name, 10, 65, 'latin1')
  data.writeUInt16BE(1, 76)
  data.writeUInt16BE(5, 78)
  return data
}

function signatureTags(
  main: Uint8Array,
  payload: Uint8Array,
  archive: Uint8Array,
): ReadonlyMap<number, TagValue> {
  return new Map<number, TagValue>([
    [269, { text: digest('sha1', main) }],
    [273, { text: digest('sha256', main) }],
    [1000, { int32: [main.length + payload.length] }],
    [1007, { int32: [archive.length] }],
  ])
}

const LESS_OR_EQUAL = 2 + 8
const EQUAL_OR_MORE = 4 + 8
const OF_RPM = 2 ** 24
/** Package, version, and how the version is compared. */
const NEEDS = [
  ['openssl', '', 0],
  ['python3', '3.9', EQUAL_OR_MORE],
  ['rpmlib(CompressedFileNames)', '3.0.4-1', LESS_OR_EQUAL + OF_RPM],
  ['rpmlib(FileDigests)', '4.6.0-1', LESS_OR_EQUAL + OF_RPM],
  ['rpmlib(PayloadFilesHavePrefix)', '4.0-1', LESS_OR_EQUAL + OF_RPM],
] as const

function aboutPackage(
  { version, hash, entries }: PackageContents,
  payload: Uint8Array,
): readonly (readonly [number, TagValue])[] {
  return [
    [100, { texts: ['C'] }],
    [1000, { text: PACKAGE }],
    [1001, { text: version }],
    [1002, { text: RELEASE }],
    [1004, { translated: SUMMARY }],
    [1005, { translated: `The program of a machine, as SHA-256 ${hash}, and its boot units.` }],
    [1006, { int32: [TIME] }],
    [1007, { text: 'localhost' }],
    [1009, { int32: [entries.reduce((sum, entry) => sum + dataOf(entry).length, 0)] }],
    [1014, { text: 'Apache-2.0' }],
    [1016, { translated: 'System Environment/Daemons' }],
    [1021, { text: 'linux' }],
    [1022, { text: 'noarch' }],
    [1044, { text: `${PACKAGE}-${version}-${RELEASE}.src.rpm` }],
    [1047, { texts: [PACKAGE] }],
    [1048, { int32: NEEDS.map(([, , flags]) => flags) }],
    [1049, { texts: NEEDS.map(([name]) => name) }],
    [1050, { texts: NEEDS.map(([, wanted]) => wanted) }],
    [1112, { int32: [8] }],
    [1113, { texts: [`${version}-${RELEASE}`] }],
    [1124, { text: 'cpio' }],
    [1125, { text: 'gzip' }],
    [1126, { text: '9' }],
    [5092, { texts: [digest('sha256', payload)] }],
    [5093, { int32: [SHA256] }],
  ]
}

function aboutFiles(entries: readonly Entry[]): readonly (readonly [number, TagValue])[] {
  const each = <T>(value: (entry: Entry, index: number) => T) => entries.map(value)
  const directories = [...new Set(each(({ path }) => `${dirname(path)}/`))]
  const isFile = (entry: Entry) => entry.kind === 'file'
  const DOCUMENTATION = 2
  return [
    [1028, { int32: each(sizeOf) }],
    [1030, { int16: each(modeOf) }],
    [1033, { int16: each(() => 0) }],
    [1034, { int32: each(() => TIME) }],
    [1035, { texts: each((entry) => (isFile(entry) ? digest('sha256', dataOf(entry)) : '')) }],
    [1036, { texts: each((entry) => (entry.kind === 'link' ? entry.target : '')) }],
    [1037, { int32: each((entry) => ('documentation' in entry ? DOCUMENTATION : 0)) }],
    [1039, { texts: each(() => 'root') }],
    [1040, { texts: each(() => 'root') }],
    [1045, { int32: each(() => -1) }],
    [1095, { int32: each(() => 1) }],
    [1096, { int32: each((_, index) => index + 1) }],
    [1097, { texts: each(() => '') }],
    [1116, { int32: each(({ path }) => directories.indexOf(`${dirname(path)}/`)) }],
    [1117, { texts: each(({ path }) => path.slice(path.lastIndexOf('/') + 1)) }],
    [1118, { texts: directories }],
    [5011, { int32: [SHA256] }],
  ]
}

const TYPES = { file: 0o100000, link: 0o120000, directory: 0o040000 } as const

function modeOf(entry: Entry): number {
  return TYPES[entry.kind] + permissionsOf(entry)
}

function sizeOf(entry: Entry): number {
  return contentOf(entry).length
}

/** A link's content is where it leads. */
function contentOf(entry: Entry): Uint8Array {
  return entry.kind === 'link' ? Buffer.from(entry.target) : dataOf(entry)
}

/** The format `newc`. Source: cpio(5). */
function cpio(entries: readonly Entry[]): Uint8Array {
  const members = entries.map((entry, index) =>
    member(`.${entry.path}`, modeOf(entry), contentOf(entry), index + 1),
  )
  return Buffer.concat([...members, member('TRAILER!!!', 0, Buffer.alloc(0), 0)])
}

function member(name: string, mode: number, data: Uint8Array, inode: number): Buffer {
  const links = 1
  const numbers = [inode, mode, 0, 0, links, TIME, data.length, 0, 0, 0, 0, name.length + 1, 0]
  const head = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}${name}\0`
  return Buffer.concat([padded(Buffer.from(head)), padded(data)])
}

function padded(data: Uint8Array): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)])
}

function digest(algorithm: 'sha1' | 'sha256', data: Uint8Array): string {
  return createHash(algorithm).update(data).digest('hex')
}
