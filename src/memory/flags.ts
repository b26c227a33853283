/**
 * `NODE_OPTIONS` of a process that keeps much and makes little that is new: garbage of its last moments may take 6 MB, not 48, before what
 * is left of it is moved.
 */
export const keeperOptions = '--max-semi-space-size=2'
