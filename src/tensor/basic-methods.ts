// The methods of `antorcha/core`: those of basic-functions.ts, and what is no function.

import * as basic from '../ops/basic-functions.ts'
import { installMethods, installProperties } from './install.ts'
import { methodsOnly, viewProperties } from './methods-only.ts'

installMethods(basic)
installMethods(methodsOnly)
installProperties(viewProperties)
