"""Entry point of `python -m training.describe`."""

import sys

from training.describe.cli import main

sys.exit(main())
