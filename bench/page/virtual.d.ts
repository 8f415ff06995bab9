/** Resolved by `build.ts`, one build for each contestant. */
declare module 'virtual:contestant' {
  /** The contestant itself, to run in a worker or on the page. */
  export function create(): import('./contestant.ts').Contender
}
declare module 'virtual:client' {
  /** The contestant as the page reaches it: itself, or through its worker. */
  export function connect(): import('./client.ts').Client
}
