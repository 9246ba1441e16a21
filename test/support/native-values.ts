// Computes many things on tensors large enough for the native addon and prints their bits, one line each. Run twice, with
// and without the addon, by test/unit/native.test.ts.

import * as torch from '../../src/index.ts'

torch.manualSeed(0)
const special = [Number.NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 3e38, 88.9, -104, 0.5, -2.5]
const mixed = (dtype: torch.DType) => {
  const x = torch.randn(67, 1031).mul(3)
  special.forEach((value, i) => {
    x.setAt([i, 3 * i], value)
  })
  return x.to(dtype)
}

function print(name: string, x: torch.Tensor): void {
  const dense = x.detach().contiguous()
  const bytes = Buffer.from(dense.storage.bytes().slice(0, dense.numel() * dense.dtype.itemsize))
  console.log(`${name}\t${dense.dtype.name}\t${bytes.toString('base64')}`)
}

const floats = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
for (const dtype of [...floats, torch.int32, torch.int64, torch.uint8, torch.int8]) {
  const base = dtype.kind === 'float' ? mixed(dtype) : torch.randint(-9, 10, [67, 1031]).to(dtype)
  const other =
    dtype.kind === 'float' ? torch.randn(67, 1031).to(dtype) : torch.randint(-9, 10, [67, 1031]).to(dtype)
  const tag = dtype.name
  print(`add ${tag}`, base.add(other))
  print(`add in place ${tag}`, base.clone().add_(other))
  print(`mul scalar ${tag}`, base.mul(3))
  print(`rows ${tag}`, base.sub(other.at(0)))
  print(`columns ${tag}`, base.mul(other.narrow(1, 3, 1)))
  print(`transposed ${tag}`, base.t().add(other.t()))
  print(`strided ${tag}`, base.at(':', '::2').add(other.at(':', '::2')))
  print(`copy of a transpose ${tag}`, base.t().contiguous())
  print(`copies of transposes ${tag}`, base.narrow(1, 0, 1029).view(67, 21, 49).transpose(1, 2).contiguous())
  print(
    `short rows ${tag}`,
    base.narrow(1, 0, 1029).view(67, 21, 49).at(':', ':', ':40:3').mul(other.at(0, ':14')),
  )
  print(`short rows, written apart ${tag}`, other.clone().at(':', '3:17').add_(base.at(':', '5:19')))
  print(`less ${tag}`, base.lt(other))
  print(`where ${tag}`, torch.where(base.gt(other), base, other))
  print(`maximum ${tag}`, torch.maximum(base, other))
  print(`to float ${tag}`, base.to(torch.float32))
  print(`to int64 ${tag}`, other.to(torch.int64))
  print(`reduction: all ${tag}`, other.sum())
  print(`reduction: rows ${tag}`, other.sum(1))
  print(`reduction: columns ${tag}`, other.sum(0))
  print(`amax ${tag}`, base.amax(1))
  print(`amin of columns ${tag}`, base.amin(0))
  print(`cumulative ${tag}`, other.cumsum(0))
  if (dtype.kind !== 'float') continue
  print(
    `reduction: sum over long columns ${tag}`,
    other
      .narrow(1, 0, 1024)
      .reshape(67 * 32, 32)
      .sum(0),
  )
  for (const fn of [
    'exp',
    'log',
    'tanh',
    'sqrt',
    'abs',
    'floor',
    'round',
    'sigmoid',
    'relu',
    'reciprocal',
  ] as const)
    print(`${fn} ${tag}`, base[fn]())
  print(`reduction: softmax ${tag}`, other.softmax(1))
  print(`reduction: softmax of columns ${tag}`, other.softmax(0))
  print(
    `reduction: softmax of short rows ${tag}`,
    other
      .narrow(1, 0, 1026)
      .reshape(67 * 27, 38)
      .softmax(1),
  )
  print(
    `reduction: sums of short rows ${tag}`,
    other.narrow(1, 0, 1026).reshape(67, 27, 38).at(':', '::2').sum(2),
  )
  print(
    `largest of short rows ${tag}`,
    base
      .narrow(1, 0, 1029)
      .reshape(67 * 147, 7)
      .amax(1),
  )
  print(`reduction: variance ${tag}`, other.var(1))
}
const x = torch.randn(200, 300)
print('reduction: layer norm', torch.nn.functional.layerNorm(x, [300]))
print('reduction: mean of all', x.mean())
const images = torch.randn(8, 5, 26, 30)
images.setAt([0, 0, 3, 4], Number.NaN)
for (const [size, stride] of [
  [2, 2],
  [3, 2],
  [3, 1],
]) {
  const [values, places] = torch.nn.functional.maxPool2d(images, size, { stride, returnIndices: true })
  print(`largest of windows ${size} ${stride}`, values)
  print(`places of the largest ${size} ${stride}`, places)
}
print('arange', torch.arange(0, 9000, 1, { dtype: torch.float32 }))
print('triangle', torch.randn(150, 160).triu(3))
print('empty', torch.empty(0, 3).exp())
