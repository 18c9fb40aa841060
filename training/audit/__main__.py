"""Entry point of `python -m training.audit`."""

import sys

from training.audit.cli import main

sys.exit(main())
