// What the small entries rest on: the devices, and the basic methods of Tensor.

import '../backends/registered.ts'
import '../tensor/basic-methods.ts'
