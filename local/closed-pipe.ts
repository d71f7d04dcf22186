/** What a write meets where the reader has left: a pipe that was closed, a terminal that hung up. */
const GONE = ['EPIPE', 'EIO']

/**
 * A reader that has read enough (`| head`) is no failure: what is printed from then on goes nowhere, without a word.
 * @param whenGone what else to do once standard output is not read any more.
 * @throws whatever else goes wrong with a write, such as a full disk.
 */
export function tolerateClosedPipes(whenGone: () => void = () => {}): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    requireGone(error)
    whenGone()
  })
  process.stderr.on('error', requireGone)
}

function requireGone(error: NodeJS.ErrnoException): void {
  if (!GONE.includes(error.code ?? '')) throw error
}
