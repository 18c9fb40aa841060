"""The script of the page: its own functions in Node.js, where that is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.training.audit.make_items import MakeItem
from training.audit.page import SCRIPT, audit_document
from training.audit.verdicts import FORMAT, read_judgement

NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

ACCURATE = {"verdict": "accurate", "note": ""}
PARTS = ("facial_expression", "body_language", "posture")


def _run(expression: str, **values: Any) -> Any:
    """Evaluate an expression after the script, which starts nothing without a page."""
    names = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    code = SCRIPT.read_text(encoding="utf-8") + names + f"console.log(JSON.stringify({expression}))"
    done = subprocess.run(
        [str(NODE), "-"], input=code, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def audit(make_item: MakeItem) -> dict[str, Any]:
    """What the page tells the script of two items."""
    return audit_document([make_item(), make_item("The jaw is set.")])


def _judged(audit: dict[str, Any], place: int) -> dict[str, Any]:
    entry = dict(audit["items"][place])
    entry |= {"parts": {part: dict(ACCURATE) for part in PARTS}, "label_shown": False}
    return entry | {"first": "2026-11-22T10:00:00.000Z", "last": "2026-11-22T10:01:00.000Z"}


def test_saved_documents_can_be_read_here(audit: dict[str, Any], tmp_path: Path) -> None:
    """What the script saves is what the program summarises; untouched items are left out."""
    expression = "toDocument(audit, 'Anna', [entry, blank(audit.items[1])], 'now')"
    path = tmp_path / "verdicts.json"

    path.write_text(json.dumps(_run(expression, audit=audit, entry=_judged(audit, 0))))

    judgement = read_judgement(path)
    assert (judgement.judge, judgement.audit, judgement.saved) == ("Anna", audit["id"], "now")
    (entry,) = judgement.verdicts
    assert asdict(entry.key) == audit["items"][0]["key"]
    assert judgement.of("posture") == {(entry.key, entry.description_sha256): "accurate"}


def test_a_saved_document_is_restored(audit: dict[str, Any]) -> None:
    """Entries go to their items whatever the order; the others are blank."""
    saved = {"format": FORMAT, "judge": "Anna", "verdicts": [_judged(audit, 1)]}

    restored = _run("restore(saved, audit.items)", audit=audit, saved=saved)

    assert (restored["judge"], restored["others"]) == ("Anna", 0)
    assert restored["entries"][1] == _judged(audit, 1)
    assert restored["entries"][0]["first"] == ""


def test_another_wording_is_not_restored(audit: dict[str, Any]) -> None:
    """A verdict on what the teacher said before is counted as another page's."""
    old = _judged(audit, 0) | {"description_sha256": "before"}
    saved = {"format": FORMAT, "judge": "Anna", "verdicts": [old]}

    restored = _run("restore(saved, audit.items)", audit=audit, saved=saved)

    assert restored["others"] == 1
    assert [entry["first"] for entry in restored["entries"]] == ["", ""]


def test_hostile_documents_restore_nothing_odd(audit: dict[str, Any]) -> None:
    """Verdicts that are not offered and values of other types are dropped."""
    hostile = _judged(audit, 0) | {"label_shown": "yes", "first": 7, "last": None}
    hostile["parts"] = {"posture": {"verdict": "<b>", "note": {"x": 1}}, "__proto__": {"a": 1}}
    saved = {"format": FORMAT, "judge": ["Anna"], "verdicts": [hostile]}

    restored = _run("restore(saved, audit.items)", audit=audit, saved=saved)

    assert restored["judge"] == ""
    assert restored["entries"][0] == _run("blank(audit.items[0])", audit=audit)


@pytest.mark.parametrize("saved", [None, [], "x", {"format": "other"}, {"format": FORMAT}])
def test_other_documents_are_refused(audit: dict[str, Any], saved: Any) -> None:
    """The message can be shown."""
    expression = "(() => { try { restore(saved, []) } catch (e) { return e.message } })()"

    assert _run(expression, saved=saved) == "this is not a file of verdicts"


def test_complete_means_all_parts(audit: dict[str, Any]) -> None:
    """A part without a verdict leaves the item open."""
    entry = _judged(audit, 0)
    open_entry = entry | {"parts": entry["parts"] | {"posture": {"verdict": "", "note": "?"}}}

    assert _run("[isComplete(a), isComplete(b)]", a=entry, b=open_entry) == [True, False]
