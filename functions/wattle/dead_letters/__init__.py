"""Events that a trigger failed to handle for so long that they were given up: kept, to be redelivered on request."""
