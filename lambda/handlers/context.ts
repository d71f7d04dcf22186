/** What handlers use of Lambda's context. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number
}
