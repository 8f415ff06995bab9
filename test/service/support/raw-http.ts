/** One HTTP request as exact bytes over a socket, and the answer as it came: names in their own case. */
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Header lines as written. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export async function sendRaw(port: number, lines: readonly string[], body = ''): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  socket.end(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [first = '', ...headerLines] = head.split('\r\n')
  const headers = new Map(
    headerLines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(first.split(' ')[1]), headers, body: rest.join('\r\n\r\n') }
}
