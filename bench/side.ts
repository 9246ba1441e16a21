// One side of the comparison: a process that stays alive and takes its turns.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Answer, Description, Request } from './workers/protocol.ts'

/** How a side is started. */
export interface SideOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

type AnswerOf<T extends Answer['type']> = Extract<Answer, { type: T }>

export class Side {
  readonly name: string
  private readonly child: ChildProcess
  private readonly answers: AsyncIterator<string>
  private failure: Error | undefined

  constructor({ name, command, args, env }: SideOptions) {
    this.name = name
    this.child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    this.child.on('error', (error) => {
      this.failure = error
    })
    this.answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  private async ask<T extends Answer['type']>(request: Request, ...expected: T[]): Promise<AnswerOf<T>> {
    this.child.stdin!.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.answers.next()
    if (done) throw this.failure ?? new Error(`${this.name} ended while it was asked to ${request.type}`)
    const answer = JSON.parse(value) as Answer
    if ((expected as string[]).includes(answer.type)) return answer as AnswerOf<T>
    throw new Error(`${this.name}: ${answer.type === 'error' ? answer.message : `answered ${answer.type}`}`)
  }

  async describe(): Promise<Description> {
    return (await this.ask({ type: 'describe' }, 'description')).description
  }

  /** Samples of the first results, or null where the workload is not written for this side. */
  async prepare(
    request: Extract<Request, { type: 'prepare' }>,
  ): Promise<readonly (readonly number[])[] | null> {
    const answer = await this.ask(request, 'results', 'unsupported')
    return answer.type === 'results' ? answer.results : null
  }

  /** Milliseconds for so many repetitions of the prepared step. */
  async block(repetitions: number): Promise<number> {
    return (await this.ask({ type: 'block', repetitions }, 'elapsed')).milliseconds
  }

  /** The greatest resident memory so far, in bytes. */
  async memory(): Promise<number> {
    return (await this.ask({ type: 'memory' }, 'memory')).bytes
  }

  /** Ends the process and waits until it has ended. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.failure !== undefined) return
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.stdin!.end()
    const patience = setTimeout(() => this.child.kill(), 2000)
    await ended
    clearTimeout(patience)
  }
}
