// `npm run names`: writes docs/names.md.

import { writeFileSync } from 'node:fs'
import { namesPage } from './page.ts'

writeFileSync(new URL('../../docs/names.md', import.meta.url), namesPage())
