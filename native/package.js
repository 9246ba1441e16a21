// Prebuilt addons as packages of their own, one for each platform, of which npm installs the one that fits:
//   node native/package.js                       makes native/build/package from the addon that was built here
//   node native/package.js depend [package.json] makes the library depend on all of them (npm's prepack)
//   node native/package.js restore [package.json] takes that back (npm's postpack)

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Those that native/build.js can build for, as Node names them. */
const platforms = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

const root = new URL('../', import.meta.url)
const at = (path) => fileURLToPath(new URL(path, root))
const nameFor = (platform) => `@antorcha/native-${platform}`
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

function make() {
  const built = at('native/build/Release/antorcha.node')
  if (!existsSync(built)) throw new Error(`there is no ${built}: run npm run native first`)
  const { platform, arch } = process
  if (!platforms.includes(`${platform}-${arch}`))
    throw new Error(`${platform}-${arch} is none of the platforms listed in native/package.js`)
  const folder = at('native/build/package/')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  copyFileSync(built, `${folder}antorcha.node`)
  copyFileSync(at('LICENSE'), `${folder}LICENSE`)
  // Names of internal functions serve nobody; without strip the file only stays larger.
  spawnSync('strip', [platform === 'darwin' ? '-x' : '--strip-unneeded', `${folder}antorcha.node`])
  const { version, license, engines } = readJson(at('package.json'))
  const name = nameFor(`${platform}-${arch}`)
  writeJson(`${folder}package.json`, {
    name,
    version,
    description: `The native addon of antorcha for ${platform} on ${arch}`,
    license,
    engines,
    os: [platform],
    cpu: [arch],
    // Built against glibc; other C libraries compute in WebAssembly.
    ...(platform === 'linux' ? { libc: ['glibc'] } : {}),
    main: 'antorcha.node',
    files: ['antorcha.node', 'LICENSE'],
  })
  writeFileSync(
    `${folder}README.md`,
    `# ${name}\n\nThe native addon of antorcha, which installs it by itself where it fits.\n`,
  )
  console.log(folder)
}

function depend(path) {
  const manifest = readJson(path)
  const entries = platforms.map((platform) => [nameFor(platform), manifest.version])
  writeJson(path, { ...manifest, optionalDependencies: Object.fromEntries(entries) })
}

function restore(path) {
  const { optionalDependencies, ...manifest } = readJson(path)
  writeJson(path, manifest)
}

const [task = 'make', path = at('package.json')] = process.argv.slice(2)
const tasks = { make, depend, restore }
if (!(task in tasks))
  throw new Error(`native/package.js: ${task} is none of ${Object.keys(tasks).join(', ')}`)
tasks[task](path)
