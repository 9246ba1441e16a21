// The web page: `npm run web`. The headers isolate the page, so that the CPU engine may use threads.

import { defineConfig } from 'vite'

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

export default defineConfig({
  // The library's sources and the images lie beside this folder.
  server: { headers, fs: { allow: ['..'] } },
  preview: { headers },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true },
})
