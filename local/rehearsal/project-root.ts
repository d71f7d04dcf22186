import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The project's root. */
export const HOME = fileURLToPath(new URL('../../', import.meta.url))
/** The configuration files that docs/machines.md shows. */
export const EXAMPLES = join(HOME, 'docs', 'examples')
/** Where a rehearsal that stays up says how to reach it. */
export const RUNNING = join(HOME, 'local', '.run', 'rehearsal.json')
/** What Node is told so that a process of ours runs TypeScript as it is. */
export const TSX = ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
