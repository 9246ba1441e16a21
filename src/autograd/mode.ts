// Whether operations are recorded for backward: torch.noGrad, enableGrad, setGradEnabled, isGradEnabled.

/** Read by every operation; change it through the functions below. */
export const gradMode: { enabled: boolean } = { enabled: true }

function within<R>(enabled: boolean, body: () => R): R {
  const before = gradMode.enabled
  gradMode.enabled = enabled
  let result: R
  try {
    result = body()
  } catch (error) {
    gradMode.enabled = before
    throw error
  }
  // An async body goes on after its first await: the mode holds until then only, as nothing else could be meant.
  gradMode.enabled = before
  return result
}

/**
 * Runs `body` without recording operations for backward and returns what it returns:
 * `const y = torch.noGrad(() => model(x))`. `body` must be synchronous.
 */
export function noGrad<R>(body: () => R): R {
  return within(false, body)
}

/** Runs `body` with recording switched on, also inside `noGrad`. */
export function enableGrad<R>(body: () => R): R {
  return within(true, body)
}

/** As `noGrad`; PyTorch's stricter mode has no further effect here. */
export function inferenceMode<R>(body: () => R): R {
  return within(false, body)
}

/** Switches recording on or off from here on. Returns the mode before. */
export function setGradEnabled(enabled: boolean): boolean {
  const before = gradMode.enabled
  gradMode.enabled = enabled
  return before
}

/** Whether operations are recorded for backward here. */
export function isGradEnabled(): boolean {
  return gradMode.enabled
}
