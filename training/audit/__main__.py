"""Entry point of `python -m training.audit`."""

from engine.arguments import run_command
from training.audit.cli import main

run_command(main)
