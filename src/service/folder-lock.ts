/**
 * One process per folder (R37): a file that names the holder. A second start learns who holds it; the lock
 * of a process that is gone, killed for instance, is taken over.
 */
import { unlinkSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'

export interface FolderLock {
  release(): void
}

/** Folders held by this process: a stale lock may carry our own number, as in a container that was restarted. */
const held = new Set<string>()

/** @throws Error naming the process that holds the folder. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = path.join(path.resolve(folder), 'tidegate.lock')
  const mark = `${process.pid} ${crypto.randomUUID()}\n`
  if (held.has(file)) throw inUse(folder, process.pid)
  held.add(file)
  try {
    await take(folder, file, mark)
  } catch (error) {
    held.delete(file)
    throw error
  }
  return {
    release() {
      if (held.delete(file)) unlinkSync(file)
    },
  }
}

async function take(folder: string, file: string, mark: string): Promise<void> {
  if (await created(file, mark)) return
  const holder = Number.parseInt(await readFile(file, 'utf8'), 10)
  if (holder !== process.pid && isAlive(holder)) throw inUse(folder, holder)
  // Replaced in one step; of two that do so at once, the one whose mark stays has it.
  const own = `${file}.${process.pid}`
  await writeFile(own, mark)
  await rename(own, file)
  if ((await readFile(file, 'utf8')) !== mark)
    throw new Error(`The folder ${folder} was taken by another process just now.`)
}

async function created(file: string, mark: string): Promise<boolean> {
  try {
    await writeFile(file, mark, { flag: 'wx' })
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process lives too.
    return isCode(error, 'EPERM')
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function inUse(folder: string, pid: number): Error {
  return new Error(`The folder ${folder} is in use by process ${pid}. Stop that one first, or choose another folder.`)
}
