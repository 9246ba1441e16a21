// The command line, `npx antorcha`: reads its arguments and calls a command. Exit codes: 0 done, 1 a file cannot be read or
// written, 2 the command line makes no sense.

import { TorchError } from '../index.ts'
import { convert } from './convert.ts'
import { inspect } from './inspect.ts'
import { printable, type Terminal, UsageError } from './terminal.ts'

const help = `Usage: antorcha <command> [options]

Commands
  inspect <file>              names, shapes, dtypes and sizes of what is in a file
  convert <source> <target>   from one format to another; the target's name says which

Files: checkpoints of torch.save (.pt, .pth, .bin, .ckpt), .safetensors (also model.safetensors.index.json), .npy, .npz.
No code of a file is ever run.

Options
  --json        machine-readable output
  -h, --help    this text, or that of a command`

const inspectHelp = `Usage: antorcha inspect <file> [options]

Shows what is in a file: tensors with their names, dtypes, shapes and sizes, which of them share memory, parameters,
metadata, other values. Values of tensors are read only for --histogram.

Options
  --histogram      minimum, maximum, mean, standard deviation and a histogram of each tensor
  --only <text>    only tensors whose names contain the text
  --json           machine-readable output`

const convertHelp = `Usage: antorcha convert <source> <target> [options]

Writes the tensors of a file in the format that the name of the target says: .pt (also .pth, .bin, .ckpt), .safetensors,
.npz or .npy (one tensor). The target is replaced as a whole or not at all.

Options
  --key <path>   the part of a checkpoint that is meant, such as model or state.encoder
  --force        replace a target that exists
  --json         machine-readable output`

/** Runs a command line (without the names of Node and of the script) and returns its exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await dispatch(args, terminal)
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.err(`antorcha: ${printable(error.message)}`)
      return 2
    }
    // Everything that can be wrong with a file; what remains is a mistake of this program.
    if (!(error instanceof TorchError)) throw error
    terminal.err(`antorcha: ${printable(error.message)}`)
    return 1
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<void> {
  const [command, ...rest] = args
  if (command === undefined || command === '--help' || command === '-h') {
    terminal.out(help)
    if (command === undefined) throw new UsageError('a command is missing')
    return
  }
  const json = { type: 'boolean', default: false } as const
  const common = { json, help: { type: 'boolean', short: 'h', default: false } } as const
  if (command === 'inspect') {
    const { values, positionals } = await parse(rest, {
      ...common,
      histogram: { type: 'boolean', default: false },
      only: { type: 'string' },
    } as const)
    if (values.help) return terminal.out(inspectHelp)
    const [path] = expectPositionals(positionals, ['file'], 'inspect')
    return inspect(path, { json: values.json!, histogram: values.histogram!, only: values.only }, terminal)
  }
  if (command === 'convert') {
    const { values, positionals } = await parse(rest, {
      ...common,
      force: { type: 'boolean', default: false },
      key: { type: 'string' },
    } as const)
    if (values.help) return terminal.out(convertHelp)
    const [source, target] = expectPositionals(positionals, ['source', 'target'], 'convert')
    return convert(source, target, { json: values.json!, force: values.force!, key: values.key }, terminal)
  }
  throw new UsageError(`there is no command '${command}'; there are inspect and convert`)
}

type OptionTable = NonNullable<NonNullable<Parameters<typeof import('node:util')['parseArgs']>[0]>['options']>

async function parse<T extends OptionTable>(args: readonly string[], options: T) {
  const { parseArgs } = await import('node:util')
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function expectPositionals(
  given: readonly string[],
  names: readonly string[],
  command: string,
): readonly string[] {
  if (given.length !== names.length)
    throw new UsageError(
      `${command} needs ${names.map((name) => `<${name}>`).join(' and ')}, but got ${given.length === 0 ? 'nothing' : given.map((arg) => `'${arg}'`).join(', ')}; --help tells more`,
    )
  return given
}
