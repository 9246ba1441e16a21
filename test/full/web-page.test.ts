// The web page in a real browser: trains, shows, classifies a drawing, saves and opens files, works by keyboard.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as axeTypes from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { chromiumPath, type Served, serve, startBrowser, warnWithoutChromium } from '../support/browser.ts'

// What the page has once axe was loaded into it.
declare const axe: typeof axeTypes

warnWithoutChromium()

describe.skipIf(chromiumPath() === null)('the web page', () => {
  let browser: Browser
  let server: Served
  let page: Page
  const errors: string[] = []
  const folder = mkdtempSync(join(tmpdir(), 'antorcha-page-'))
  // Pictures to look at stay where they are wanted.
  const pictures = process.env.ANTORCHA_PICTURES ?? folder

  beforeAll(async () => {
    browser = await startBrowser()
    server = await serve('web', { isolated: true })
    page = await browser.newPage({ viewport: { width: 1280, height: 1400 } })
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    await page.goto(server.url)
    await page.locator('html[data-ready=true]').waitFor({ timeout: 60_000 })
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await server?.close()
    rmSync(folder, { recursive: true })
  })

  const status = () => page.locator('#status').innerText()
  const correct = async () => Number.parseInt(await page.locator('#accuracy').innerText(), 10)

  async function trainFor(steps: number): Promise<void> {
    const before = Number(await page.locator('#step').innerText())
    await page.getByRole('button', { name: 'Train' }).click()
    await page.waitForFunction(
      (least) => Number(document.getElementById('step')!.textContent) >= least,
      before + steps,
      { timeout: 120_000 },
    )
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.waitForFunction(() => document.getElementById('status')!.textContent!.startsWith('Stopped'))
  }

  test('trains on the CPU until nearly all test images are guessed right', async () => {
    await trainFor(500)
    expect(await correct()).toBeGreaterThan(345)
    expect(await page.locator('#curve').getAttribute('aria-label')).toMatch(
      /Loss over \d+ steps, from 2\.\d+ to 0\./,
    )
    expect(await page.locator('#confusion tbody tr').count()).toBe(10)
    const cells = await page.locator('#confusion td').allInnerTexts()
    expect(cells.reduce((sum, text) => sum + (Number(text) || 0), 0)).toBe(397)
    expect(await page.locator('#wrong li').count()).toBeGreaterThan(0)
  })

  test('classifies a digit drawn with the mouse', async () => {
    const box = (await page.locator('#board').boundingBox())!
    const middle = box.x + box.width / 2
    await page.mouse.move(middle, box.y + 30)
    await page.mouse.down()
    await page.mouse.move(middle, box.y + box.height - 30, { steps: 12 })
    await page.mouse.up()
    await page.waitForFunction(() =>
      document.getElementById('guess')!.textContent!.startsWith('It looks like a'),
    )
    expect(await page.locator('#guess').innerText()).toMatch(/It looks like a [0-9] \(\d+ %\)\./)
    expect(await page.locator('#shares li').count()).toBe(10)
    await page.screenshot({ path: join(pictures, 'page-light.png'), fullPage: true })
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.screenshot({ path: join(pictures, 'page-dark.png'), fullPage: true })
    await page.emulateMedia({ colorScheme: 'light' })
  })

  test('can be used with the keyboard alone', async () => {
    await page.getByRole('button', { name: 'Wipe' }).press('Enter')
    expect(await page.locator('#guess').innerText()).toBe('Draw something.')
    const pad = page.getByRole('application', { name: 'Drawing board' })
    await pad.focus()
    for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowUp')
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Space')
      await page.keyboard.press('ArrowDown')
    }
    await page.waitForFunction(() =>
      document.getElementById('guess')!.textContent!.startsWith('It looks like a'),
    )
    await page.keyboard.press('Delete')
    await page.waitForFunction(() => document.getElementById('guess')!.textContent === 'Draw something.')
    const unnamed = await page.evaluate(
      () =>
        [...document.querySelectorAll('button, select, input')].filter(
          (element) => !element.textContent?.trim() && (element as HTMLInputElement).labels?.length === 0,
        ).length,
    )
    expect(unnamed).toBe(0)
  })

  test('saves what was learned, and takes it back by drag and drop', async () => {
    const before = await correct()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save .pt' }).click(),
    ])
    const path = join(folder, 'digits.pt')
    await download.saveAs(path)
    const state = torch.load<Map<string, torch.Tensor>>(path)
    expect([...state.keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias', '4.weight', '4.bias'])

    await page.getByRole('button', { name: 'Start over' }).click()
    await page.waitForFunction(() => document.getElementById('status')!.textContent!.includes('forgotten'))
    expect(await correct()).toBeLessThan(before)
    const base64 = readFileSync(path).toString('base64')
    await page.evaluate((text) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
      const data = new DataTransfer()
      data.items.add(new File([bytes], 'digits.pt'))
      document.body.dispatchEvent(
        new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }),
      )
    }, base64)
    await page.waitForFunction(() =>
      document.getElementById('status')!.textContent!.includes('Opened digits.pt'),
    )
    expect(await correct()).toBe(before)
  })

  test('a file that holds no such network is refused and changes nothing', async () => {
    const before = await correct()
    await page.locator('#open').setInputFiles({
      name: 'letter.pt',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from('no checkpoint'),
    })
    await page.waitForFunction(() => !document.getElementById('status')!.textContent!.includes('Opened'))
    expect(await status()).not.toContain('Opened')
    expect(await correct()).toBe(before)
  })

  test.each(['light', 'dark'] as const)(
    'has no barrier that axe finds, in %s colours',
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme })
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') })
      const found = await page.evaluate(async () => {
        const { violations } = await axe.run()
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)
      })
      await page.emulateMedia({ colorScheme: 'light' })
      expect(found).toEqual([])
    },
  )

  test('can be used without a mouse: every control is reached by Tab, and visible when it is', async () => {
    await page.locator('#device').focus()
    const reached: string[] = []
    for (let i = 0; i < 7; i++) {
      reached.push(
        await page.evaluate(() => {
          const element = document.activeElement as HTMLElement
          const shown = element.id === 'open' ? element.previousElementSibling! : element
          return `${element.id} ${getComputedStyle(shown).outlineStyle}`
        }),
      )
      await page.keyboard.press('Tab')
    }
    expect(reached).toEqual(
      ['device', 'train', 'reset', 'save', 'open', 'pad', 'wipe'].map((id) => `${id} solid`),
    )
  })

  test('trains on WebGPU, 2,000 steps in the memory of the first 200, give or take 24 MiB', async () => {
    const option = page.locator('#device option[value=webgpu]')
    if (await option.isDisabled()) {
      console.warn('\n*** Skipped: this Chromium has no WebGPU. ***\n')
      return
    }
    await page.locator('#device').selectOption('webgpu')
    await page.waitForFunction(() => document.getElementById('status')!.textContent!.includes('is on WebGPU'))
    const before = await correct()
    const memory = async () => Number.parseFloat(await page.locator('#memory').innerText())
    await trainFor(200)
    const early = await memory()
    await trainFor(1800)
    expect(early).toBeGreaterThan(0)
    expect(await memory()).toBeLessThan(early + 24)
    expect(await correct()).toBeGreaterThan(before - 20)
  })

  test('nothing was reported to the console', () => {
    expect(errors).toEqual([])
  })
})
