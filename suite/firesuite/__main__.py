"""`python -m firesuite`, for where the console script is not on PATH."""

import sys

from firesuite.cli import main

sys.exit(main())
