import sys

from firesuite.rules.cli import main

sys.exit(main())
