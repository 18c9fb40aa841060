"""Seal a bundle: write the manifest that `engine.model.manifest` verifies.

python -m export.bundle BUNDLE            verify a bundle and print what it is
python -m export.bundle BUNDLE --seal     write its manifest first
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from engine.arguments import Parser
from engine.model.manifest import MANIFEST, Manifest, bundle_files, read_record, verify_bundle
from stream.errors import UserError

__all__ = ["SPEC", "main", "verify_bundle", "write_manifest"]

SPEC = "spec.json"
"""The model spec inside a bundle, which gives the manifest its name and version."""


def write_manifest(bundle: Path) -> Manifest:
    """Record every file of a finished bundle; replaces an earlier manifest in one step.

    Raises:
        UserError: If `spec.json` is missing or unreadable, or a file is of a type that a
            bundle never holds.
    """
    try:
        spec = json.loads((bundle / SPEC).read_text(encoding="utf-8"))
        name, version = spec["name"], spec["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{bundle / SPEC} is not a readable model spec ({error!r}): "
            "a bundle needs the spec.json that training writes"
        ) from error
    document = {
        "name": name,
        "spec_version": version,
        "files": {path: asdict(read_record(file)) for path, file in bundle_files(bundle).items()},
    }
    # Outside the bundle's types, so that an interrupted write is refused and not overlooked.
    partial = bundle / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, bundle / MANIFEST)
    return verify_bundle(bundle)


def main(arguments: Sequence[str] | None = None) -> int:
    """Seal or verify a bundle; returns the exit code."""
    parser = Parser(
        prog="python -m export.bundle", description="Verify a bundle, or seal it with a manifest."
    )
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("--seal", action="store_true", help=f"write {MANIFEST} first")
    options = parser.parse_args(arguments)
    try:
        manifest = (write_manifest if options.seal else verify_bundle)(options.bundle)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path, record in manifest.files.items():
        print(f"{record.size:12,}  {record.sha256[:12]}  {path}")
    print(f"{manifest.size:12,}  bundle {manifest.name}, sha256 {manifest.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
