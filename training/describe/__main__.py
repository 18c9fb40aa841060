"""Entry point of `python -m training.describe`."""

from engine.arguments import run_command
from training.describe.cli import main

run_command(main)
