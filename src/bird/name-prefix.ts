/** Before the names of sessions: even in quotes BIRD takes a name that is one of its keywords, such as `router`, for the keyword. */
export const namePrefix = 'peer-'
