import { build } from 'esbuild'
import { BUNDLING } from './bundle.ts'

/** A process of its own: esbuild's plugins make promises, for which the CDK does not wait. */
const [entry, outfile] = process.argv.slice(2)
if (entry === undefined || outfile === undefined) throw new RangeError('wanted: an entry and an output file')
await build({ ...BUNDLING, entryPoints: [entry], outfile })
