/** Bytes that an agent leaves of both streams together, and what it puts between and behind them. */
const MAX_OUTPUT = 2500
const SEPARATOR = '\n----------ERROR-------\n'
const OUTPUT_CUT = '\n---Output truncated---'
const ERROR_CUT = '\n---Error truncated----'

/**
 * `Output` as a command's plugin shows it: both streams in one, of less than 2,500 bytes. What is cut is the longer one,
 * or each to half of the room; a character that the cut goes through is lost.
 */
export function commandOutput(stdout: string, stderr: string): string {
  const [out, err] = [Buffer.from(stdout), Buffer.from(stderr)]
  const separator = err.length === 0 ? '' : SEPARATOR
  const room = MAX_OUTPUT - separator.length
  if (out.length + err.length < room) return stdout + separator + stderr
  const half = Math.floor(room / 2)
  if (out.length > half && err.length > half) {
    const each = Math.floor((room - OUTPUT_CUT.length - ERROR_CUT.length) / 2)
    return cut(out, each, OUTPUT_CUT) + separator + cut(err, each, ERROR_CUT)
  }
  if (out.length <= half)
    return stdout + separator + cut(err, room - ERROR_CUT.length - out.length, ERROR_CUT)
  return cut(out, room - OUTPUT_CUT.length - err.length, OUTPUT_CUT) + separator + stderr
}

/** A whole stream as GetCommandInvocation shows it: its beginning, of less than so many bytes. */
export function streamOutput(text: string, limit: number): string {
  const bytes = Buffer.from(text)
  const mark = '--output truncated--'
  return bytes.length < limit ? text : cut(bytes, limit - mark.length, mark)
}

function cut(bytes: Buffer, length: number, mark: string): string {
  return bytes.subarray(0, length).toString('utf8') + mark
}
