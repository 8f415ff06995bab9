/** The command line of the demo's server. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const USAGE = `Usage: node demo/serve.mjs [options]
  --port N         port on loopback, default 4173; the next free one if it is taken; 0 for any
  --store S        memory, or pglite:FOLDER; default pglite:.data
  --limit N        imports only the first N places
  --page-size N    items a page, 1 to 1000, default 1000
  --ack-delay MS   lets acknowledgements take that long
  --dev            serves the sources with live reload instead of the built demo`

/**
 * @typedef {object} Options
 * @property {number} port
 * @property {string} store `memory` or `pglite:FOLDER`
 * @property {number} limit
 * @property {number} pageSize
 * @property {number} ackDelayMs
 * @property {boolean} dev
 */

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws {Error} one sentence and the usage, for a mistake in the call
 */
export function readOptions(args) {
  const { values } = parse(args)
  if (values.help) throw new Error(USAGE)
  const { store } = values
  if (store !== 'memory' && !/^pglite:./.test(store)) fail(`--store takes memory or pglite:FOLDER, not "${store}"`)
  return {
    port: whole('port', values.port, 0, 65_535),
    store,
    limit: whole('limit', values.limit, 1, 1e9),
    pageSize: whole('page-size', values['page-size'], 1, 1000),
    ackDelayMs: whole('ack-delay', values['ack-delay'], 0, 3_600_000),
    dev: values.dev,
  }
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: 'string', default: '4173' },
        store: { type: 'string', default: `pglite:${ROOT}.data` },
        limit: { type: 'string', default: '1000000000' },
        'page-size': { type: 'string', default: '1000' },
        'ack-delay': { type: 'string', default: '0' },
        dev: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

/** @param {string} name @param {string} text @param {number} least @param {number} most */
function whole(name, text, least, most) {
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= least && value <= most
    ? value
    : fail(`--${name} takes a whole number from ${least} to ${most}, not "${text}"`)
}

/** @param {string} what @returns {never} */
function fail(what) {
  throw new Error(`${what}.\n\n${USAGE}`)
}
