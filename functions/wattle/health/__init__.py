"""Is the process up, and can it serve."""
