/**
 * JSON as Parameter Store takes it: PutParameter refuses a value with `{{…}}`, which it reads as a reference to another
 * parameter, and quoted texts may hold that. In JSON two braces stand together inside strings alone, where the second
 * one may as well be escaped: it is read as the same text.
 */
export function parameterText(json: string): string {
  return json.replaceAll('{{', '{\\u007b')
}
