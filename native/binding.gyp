# How node-gyp builds the addon. What computes is compiled once for each instruction set, as a static library in a
# namespace of its own (`instruction_set`); the addon picks one when it is loaded (isa.cc).
{
  'variables': {
    'warnings': ['-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-missing-field-initializers'],
    # Nothing fuses a multiplication and an addition by itself: results are those of WebAssembly. Products ask for it.
    'plain': ['-std=c++17', '-O3', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=off'],
    # Without these GCC takes clamped arguments apart into cases, each of which then needs a mask.
    'branchless': ['-fno-thread-jumps', '-fno-tree-dominator-opts'],
    'computing': ['evaluate.cc', 'product.cc'],
    'baseline': [],
    'avx2': ['-mavx2', '-mfma', '-mbmi', '-mbmi2', '-mf16c'],
    'avx512': [
      '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl', '-mavx512cd',
      '-mfma', '-mbmi', '-mbmi2', '-mf16c', '-mprefer-vector-width=512',
    ],
  },
  'target_defaults': {
    'cflags_cc!': ['-fno-rtti', '-fno-exceptions', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['<@(warnings)', '-fexceptions', '-fvisibility=hidden', '-fPIC'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
    },
  },
  'targets': [
    {
      'target_name': 'kernels_baseline',
      'type': 'static_library',
      'sources': ['<@(computing)'],
      'defines': ['ANTORCHA_ISA=baseline'],
      'cflags_cc': ['<@(plain)', '<@(branchless)', '<@(baseline)'],
      'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(plain)', '<@(baseline)']},
    },
    {
      'target_name': 'antorcha',
      'sources': ['addon.cc', 'checksum.cc', 'isa.cc', 'pool.cc', 'product_launch.cc', 'transfer.cc'],
      'dependencies': ['kernels_baseline'],
      'cflags_cc': ['<@(plain)'],
      'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(plain)']},
      'conditions': [
        ['OS=="linux"', {'libraries': ['-pthread']}],
        ['target_arch=="x64"', {
          'dependencies': ['kernels_avx2', 'kernels_avx512'],
        }],
      ],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'kernels_avx2',
          'type': 'static_library',
          'sources': ['<@(computing)'],
          'defines': ['ANTORCHA_ISA=avx2'],
          'cflags_cc': ['<@(plain)', '<@(branchless)', '<@(avx2)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(plain)', '<@(avx2)']},
        },
        {
          'target_name': 'kernels_avx512',
          'type': 'static_library',
          'sources': ['<@(computing)'],
          'defines': ['ANTORCHA_ISA=avx512'],
          'cflags_cc': ['<@(plain)', '<@(branchless)', '<@(avx512)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(plain)', '<@(avx512)']},
        },
      ],
    }],
  ],
}
