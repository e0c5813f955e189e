"""How often a caller may call: token buckets, in process or shared between instances by `rateLimits/{key}`."""
