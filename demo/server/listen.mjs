/** A port on loopback: the one asked for, else the next that is free. */
const TRIES = 20

/**
 * @param {import('node:http').Server} server
 * @param {number} port 0 for any
 * @returns {Promise<number>} the port taken
 */
export async function listen(server, port) {
  for (let offset = 0; ; offset++) {
    try {
      return await attempt(server, port === 0 ? 0 : port + offset)
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      if (!taken || port === 0 || offset === TRIES) throw error
    }
  }
}

/** @param {import('node:http').Server} server @param {number} port @returns {Promise<number>} */
function attempt(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
