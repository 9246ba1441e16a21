// The real browser for tests: finds Chromium, starts it with WebGPU on its software renderer, and serves folders of the
// repository to it through Vite, cross-origin isolated or not.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { createServer } from 'vite'

const repository = resolve(import.meta.dirname, '../..')

/** Where Chromium is, or null: `CHROMIUM_PATH`, or what Debian installs. */
export function chromiumPath(): string | null {
  const candidates = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome']
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? null
}

/** Says why tests are skipped, where there is no Chromium. */
export function warnWithoutChromium(): void {
  if (chromiumPath() === null)
    console.warn(
      '\n*** Skipped: there is no Chromium (apt install chromium, or set CHROMIUM_PATH), so nothing was tested in a browser. ***\n',
    )
}

/** Starts Chromium with a new profile, and WebGPU computed by SwiftShader. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath()!,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
    ],
  })
}

/** A running server. */
export interface Served {
  readonly url: string
  close(): Promise<void>
}

/** Serves a folder of the repository; `isolated` sets the headers without which browsers give no shared memory. */
export async function serve(folder: string, { isolated }: { isolated: boolean }): Promise<Served> {
  const server = await createServer({
    root: resolve(repository, folder),
    configFile: false,
    logLevel: 'error',
    server: {
      port: 0,
      host: '127.0.0.1',
      fs: { allow: [repository] },
      watch: null,
      hmr: false,
      headers: isolated
        ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
        : {},
    },
  })
  await server.listen()
  const address = server.httpServer!.address() as { port: number }
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() }
}
