// The library in a real browser: the CPU engine with and without threads, and WebGPU.

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as torchTypes from '../../src/index.ts'
import { chromiumPath, type Served, serve, startBrowser, warnWithoutChromium } from '../support/browser.ts'

declare const torch: typeof torchTypes

warnWithoutChromium()

/** Trains a small network in the page; returns the losses. */
async function train(device: string): Promise<number[]> {
  torch.manualSeed(0)
  const { nn, optim } = torch
  const model = new nn.Sequential(new nn.Linear(8, 64), new nn.Tanh(), new nn.Linear(64, 3)).to(device)
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
  const x = torch.randn(128, 8).to(device)
  const y = torch.randint(0, 3, [128]).to(device)
  const losses: number[] = []
  for (let step = 0; step < 10; step++) {
    optimizer.zeroGrad()
    const loss = nn.functional.crossEntropy(model(x), y)
    loss.backward()
    optimizer.step()
    losses.push((await loss.itemAsync()) as number)
  }
  return losses
}

describe.skipIf(chromiumPath() === null)('in Chromium', () => {
  let browser: Browser
  const servers: Served[] = []

  beforeAll(async () => {
    browser = await startBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    for (const server of servers) await server.close()
  })

  async function open(isolated: boolean): Promise<Page> {
    const server = await serve('test/support/pages', { isolated })
    servers.push(server)
    const page = await browser.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    await page.goto(server.url)
    await page
      .waitForFunction(() => document.title === 'ready', undefined, { timeout: 60_000 })
      .catch((error) => {
        throw new Error(`${error}\n${errors.join('\n')}`)
      })
    return page
  }

  test.each([true, false])(
    'the CPU engine trains and multiplies (cross-origin isolated: %s)',
    async (isolated) => {
      const page = await open(isolated)
      const found = await page.evaluate(() => {
        torch.setNumThreads(2)
        const [a, b] = [torch.ones(600, 700), torch.full([700, 500], 2, { dtype: torch.float32 })]
        const corner = a.matmul(b).at(599, 499).item()
        return { isolated: crossOriginIsolated, shared: typeof SharedArrayBuffer, corner }
      })
      expect(found).toEqual({ isolated, shared: isolated ? 'function' : 'undefined', corner: 1400 })
      const losses = await page.evaluate(train, 'cpu')
      expect(losses[9]).toBeLessThan(losses[0])
      await page.close()
    },
  )

  test('a synchronous loop that makes 5 GiB of results stays within the 4 GiB that a page can have', async () => {
    const page = await open(true)
    const last = await page.evaluate(() => {
      const x = torch.zeros(512, 512)
      let y = x
      for (let i = 1; i <= 5000; i++) y = x.add(i)
      return y.at(0, 0).item()
    })
    expect(last).toBe(5000)
    await page.close()
  })

  test('WebGPU trains to the same losses as the CPU', async () => {
    const page = await open(true)
    const available = await page.evaluate(() => torch.webgpu.isAvailable())
    if (!available) {
      console.warn('\n*** Skipped: this Chromium has no WebGPU. ***\n')
      return
    }
    const [cpu, gpu] = [await page.evaluate(train, 'cpu'), await page.evaluate(train, 'webgpu')]
    gpu.forEach((loss, i) => {
      expect(loss).toBeCloseTo(cpu[i], 4)
    })
    await page.close()
  })

  test('without WebGPU the error says what to do', async () => {
    const page = await open(false)
    const message = await page.evaluate(async () => {
      Object.defineProperty(navigator, 'gpu', { value: undefined })
      const available = await torch.webgpu.isAvailable()
      try {
        torch.zeros(2, { device: 'webgpu' })
        return 'no error'
      } catch (error) {
        return `${available} ${error}`
      }
    })
    expect(message).toContain('false RuntimeError: this browser has no WebGPU')
    await page.close()
  })
})
