"""Pages that are one file: escaping, policy, pictures inside, written in one step."""

from __future__ import annotations

import base64
import errno
import hashlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from training import html

HOSTILE = "</script><script>alert(1)</script>\"'<img src=x onerror=alert(1)>&amp;"


@pytest.mark.parametrize(
    "template",
    ["<p>{{ text }}</p>", '<p title="{{ text }}">x</p>', "<p>{{ text | tojson }}</p>"],
)
def test_values_cannot_open_an_element(template: str) -> None:
    """Hostile text stays text, in an element, an attribute or JSON."""
    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            opened.append(tag)

    Parser().feed(html.environment().from_string(template).render(text=HOSTILE))

    assert opened == ["p"]


def test_a_name_that_was_not_given_is_an_error() -> None:
    """A misspelt name does not leave a hole in a page."""
    with pytest.raises(UndefinedError, match="reslut"):
        html.environment().from_string("{{ reslut }}").render(result=1)


def test_the_base_page_lets_its_own_script_run_and_no_other() -> None:
    """The policy names the digest of exactly the text between the script tags."""
    script = "const marks = 'a < b && c';\n"

    page = html.render("base.html.jinja", script=script)

    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"<script>{script}</script>" in page
    assert f"script-src &#39;sha256-{digest}&#39;;" in page


def test_the_base_page_has_no_script_unless_given_one() -> None:
    """Without a script the policy forbids all of them."""
    page = html.render("base.html.jinja")

    assert "<script" not in page
    assert "script-src &#39;none&#39;;" in page
    assert "default-src &#39;none&#39;;" in page


def test_common_style_loads_nothing() -> None:
    """The style of the base page names no file and no address."""
    page = html.render("base.html.jinja")

    assert "url(" not in page
    assert "@import" not in page
    assert "//" not in page.replace("<!doctype html>", "")


@pytest.mark.parametrize("script", ["'</script>'", "'</SCRIPT '", "'<!--'"])
def test_a_script_that_ends_its_element_is_refused(script: str) -> None:
    """Such a script would spill onto the page."""
    with pytest.raises(ValueError, match="must contain neither"):
        html.render("base.html.jinja", script=script)


def test_data_uri_gives_the_bytes_back() -> None:
    """The address contains the file."""
    content = bytes(range(256))

    head, body = html.data_uri(content, "image/png").split(",")

    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == content


def test_figures_are_formatted_for_reading() -> None:
    """Shares get one decimal, counts a thousands separator, other figures three decimals."""
    assert html.percent(0.1234) == "12.3 %"
    assert html.number(12345) == "12,345"
    assert html.number(0.12345) == "0.123"


def test_write_page_replaces_the_old_page(tmp_path: Path) -> None:
    """Folders are made, nothing partial stays, and half a surrogate pair does not stop it."""
    path = tmp_path / "new" / "page.html"

    html.write_page(path, "old")
    html.write_page(path, "caf\u00e9 \ud800")

    assert path.read_text(encoding="utf-8") == "caf\u00e9 ?"
    assert list(path.parent.iterdir()) == [path]


def test_a_page_that_cannot_be_written_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills names no file; the old page stays, and no part of the new one does."""
    path = tmp_path / "page.html"
    html.write_page(path, "old")

    def fill(partial: Path, content: bytes) -> int:
        with partial.open("wb") as file:
            file.write(content[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left") as full:
        html.write_page(path, "new")

    assert full.value.filename == str(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
