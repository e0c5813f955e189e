"""Calls that a client may repeat without their effect being repeated: `idempotencyKeys/{hash}`."""
