/** When that was or will be, as of `now`. */
export function when(time: string, now: string): string {
  return time > now ? `in ${span(now, time)}` : ago(time, now)
}

export function ago(time: string, now: string): string {
  return `${span(time, now)} ago`
}

/** The two largest units: 2 h 10 min. @param from, to ISO 8601. */
export function span(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d`
}
