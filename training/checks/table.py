"""What a check found, as plain text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stream.printable import printable
from training.checks.faults import KINDS, MODALITIES
from training.checks.result import Finding, Result
from training.datasets.corpus import SPLITS

MAX_LISTED = 20
"""Faults of one kind that are listed; `--json` has all."""


def text(result: Result) -> str:
    """The whole report."""
    parts = (
        f"{result.corpus} in {printable(str(result.folder))}",
        _columns(_counts(result)),
        _absent_splits(result),
        _differences(result),
        _faults(result.findings),
        _extras(result.extras),
        _left_out(result),
        _verdict(result),
    )
    return "\n\n".join(part for part in parts if part)


def _counts(result: Result) -> Iterator[Sequence[str]]:
    counts = result.counts
    labels = next(iter(counts.values())).classes
    yield ("", *counts)
    yield ("dialogues", *(f"{one.dialogues:,}" for one in counts.values()))
    yield ("utterances", *(f"{one.utterances:,}" for one in counts.values()))
    for label in labels:
        yield (f"  {printable(label)}", *(f"{one.classes[label]:,}" for one in counts.values()))
    if any(one.without_target for one in counts.values()):
        yield ("  no target", *(f"{one.without_target:,}" for one in counts.values()))
    for modality in MODALITIES:
        yield (f"with {modality}", *(f"{result.clips[split][modality]:,}" for split in counts))


def _absent_splits(result: Result) -> str:
    absent = [split for split in SPLITS if split not in result.counts]
    return f"Not in this copy: {', '.join(absent)}." if absent else ""


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows with the first column to the left and numbers to the right."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = (
        row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def _differences(result: Result) -> str:
    if not result.differences:
        return ""
    return "\n".join(["Not the published numbers:", *(f"  {one}" for one in result.differences)])


def _faults(findings: Sequence[Finding]) -> str:
    lines = []
    for kind, meaning in KINDS.items():
        found = [finding for finding in findings if finding.fault.kind == kind]
        if not found:
            continue
        # Those that nobody expects first.
        found.sort(key=lambda finding: finding.known is not None)
        lines.append(f"{kind} ({meaning}): {len(found):,}")
        lines.extend(f"  {_fault(finding)}" for finding in found[:MAX_LISTED])
        if len(found) > MAX_LISTED:
            lines.append(f"  and {len(found) - MAX_LISTED:,} more; --json lists all")
    return "\n".join(lines)


def _fault(finding: Finding) -> str:
    key, fault = finding.key, finding.fault
    name = f"{key.split} {_name(finding)}"
    lost = f"without {' and '.join(fault.modalities)}"
    known = f" [known: {finding.known}]" if finding.known else ""
    return printable(f"{name}: {fault.detail}; {lost}{known}")


def _name(finding: Finding) -> str:
    """The utterance as its corpus calls it."""
    key = finding.key
    if key.corpus == "meld":
        return f"dia{key.dialogue}_utt{key.utterance}"
    return f"{key.dialogue} utterance {key.utterance}"


def _extras(extras: Mapping[str, Sequence[object]]) -> str:
    if not extras:
        return ""
    listed = (f"  {kind}: {len(paths):,}" for kind, paths in extras.items())
    return "\n".join(["Files that belong to no utterance, and are passed over:", *listed])


def _left_out(result: Result) -> str:
    if not any(sum(found.values()) for found in result.clips.values()):
        return "No clips in this copy: words alone."
    rows = [("left out", *result.counts)]
    left_out = result.left_out()
    rows += [
        (f"  {modality}", *(f"{left_out[split][modality]:,}" for split in result.counts))
        for modality in MODALITIES
    ]
    return _columns(rows)


def _verdict(result: Result) -> str:
    known = len(result.findings) - len(result.unknown)
    if result.usable:
        return f"Usable: {_number(known, 'known ')}." if known else "Usable: no faults."
    if result.corpus == "manifest":  # own data, which nobody published
        return (
            f"{_number(len(result.unknown))}: put the files or the manifest right; training also "
            "runs without the clips above."
        )
    problems = [_number(len(result.unknown), "unknown ")] if result.unknown else []
    if result.differences:
        problems.append("other numbers than published")
    return (
        f"Not as published: {' and '.join(problems)}. Unpack or download it again; training also "
        "runs without the clips above."
    )


def _number(faults: int, kind: str = "") -> str:
    return f"{faults:,} {kind}fault{'' if faults == 1 else 's'}"
