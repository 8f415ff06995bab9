/**
 * A proxy between the engine and a service on loopback that cuts one connection at one byte, of a request on its way
 * up or of an answer on its way down. Which one is said by the exchange's name (`GET /v2/… #2`), not by its time, so
 * that a cut hits the same byte in every run. Many exchanges go through it at once; a bearer token tells them apart.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Cut {
  readonly exchange: string
  readonly direction: 'request' | 'answer'
  /** So many bytes still pass. */
  readonly at: number
}

/** One life of a device, as the proxy sees it. */
export interface Line {
  readonly cut: Cut | null
  hit: boolean
  /** Bytes of each exchange, by its name. */
  readonly sizes: Map<string, { request: number; answer: number }>
}

export interface CuttingProxy {
  readonly url: string
  close(): Promise<void>
}

export async function createCuttingProxy(upstream: number, lineOf: (token: string) => Line): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const track = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // What a cut does to the other end is the point of it.
    socket.on('error', () => undefined)
    socket.setNoDelay(true)
    return socket
  }

  async function serve(client: Socket): Promise<void> {
    const requests = messagesOf(client)
    const service = track(connect(upstream, '127.0.0.1'))
    const answers = messagesOf(service)
    client.on('close', () => service.end())
    for (;;) {
      const request = await requests()
      if (request === null) break
      const line = lineOf(/^authorization: Bearer (\S+)/im.exec(request.toString('latin1'))?.[1] ?? '')
      const name = nameOf(request, line)
      const { cut } = line
      const cuts = (direction: Cut['direction']): boolean =>
        !line.hit && cut !== null && cut.exchange === name && cut.direction === direction
      line.sizes.set(name, { request: request.length, answer: 0 })
      if (cuts('request')) {
        line.hit = true
        service.end(request.subarray(0, cut!.at))
        end(client, cut!.at)
        return
      }
      service.write(request)
      const answer = await answers()
      if (answer === null) break
      line.sizes.set(name, { request: request.length, answer: answer.length })
      if (cuts('answer')) {
        line.hit = true
        service.end()
        client.write(answer.subarray(0, cut!.at), () => end(client, cut!.at))
        return
      }
      client.write(answer)
    }
    client.destroy()
    service.destroy()
  }

  const server = createServer((client) => void serve(track(client)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Half of all cuts say goodbye, half do not. */
function end(socket: Socket, at: number): void {
  if (at % 2 === 0) socket.destroy()
  else socket.resetAndDestroy()
}

/** `METHOD path #n`, the nth of that name on this line. */
function nameOf(request: Buffer, { sizes }: Line): string {
  const [method = '', path = ''] = request.subarray(0, 200).toString('latin1').split(' ')
  const name = `${method} ${path.replace(/sync\/[^/]{9,}\//, 'sync/SESSION/')}`
  let nth = 1
  while (sizes.has(`${name} #${nth}`)) nth++
  return `${name} #${nth}`
}

/** Whole HTTP messages with their `Content-Length`, one after the other; null at the end of the stream. */
function messagesOf(socket: Socket): () => Promise<Buffer | null> {
  let buffer = Buffer.alloc(0)
  let over = false
  let wake = (): void => undefined
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    wake()
  })
  for (const event of ['end', 'close'] as const)
    socket.on(event, () => {
      over = true
      wake()
    })
  return async () => {
    for (;;) {
      const head = buffer.indexOf('\r\n\r\n')
      const length =
        head < 0 ? 0 : Number(/^content-length: *(\d+)/im.exec(buffer.toString('latin1', 0, head))?.[1] ?? 0)
      if (head >= 0 && buffer.length >= head + 4 + length) {
        const message = buffer.subarray(0, head + 4 + length)
        buffer = buffer.subarray(message.length)
        return message
      }
      if (over) return null
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}
