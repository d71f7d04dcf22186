/**
 * The token of the page that follows, noted in `seen`. Pages end without a token, at an empty one, and at one that came
 * before: asked with that, a service would begin again.
 */
export function following(token: string | undefined, seen: Set<string>): string | undefined {
  if (!token || seen.has(token)) return undefined
  seen.add(token)
  return token
}
