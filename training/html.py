"""Pages that are one file: they open from disk, load nothing and send nothing.

A page is a Jinja template below `training/` that extends `base.html.jinja`, which brings the
policy, the common style and the blocks `title`, `style` and `body`:

    page = render("audit/page.html.jinja", script=SCRIPT, items=items)
    write_page(Path("audit.html"), page)

In a template, values are escaped, a name that was not given is an error, `{{ share | percent }}`
and `{{ share | number }}` format, and `{{ values | tojson }}` is safe inside a
`<script type="application/json">` element.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent


def environment() -> Environment:
    """Where templates are loaded from and how values are written into them."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(percent=percent, number=number)
    return made


def render(template: str, *, script: str = "", **values: Any) -> str:
    """Fill a template that extends `base.html.jinja`.

    Args:
        template: Path below `training/`, with forward slashes.
        script: JavaScript of the page; the only one that its policy lets run.
        values: What the template names.

    Raises:
        ValueError: If the script would end its own element.
        jinja2.UndefinedError: If the template names a value that was not given.
    """
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("a script must contain neither </script nor <!--")
    policy = content_security_policy([script] if script else [])
    page = environment().get_template(template)
    return page.render(policy=policy, script=Markup(script), **values)


def content_security_policy(scripts: Sequence[str] = ()) -> str:
    """A policy that forbids all network, and every script but these (CSP level 3, section 2.3).

    Styles may be inline; pictures come from data URIs alone.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            "style-src 'unsafe-inline'",
            "script-src " + (sources or "'none'"),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def data_uri(content: bytes, mime: str) -> str:
    """A file as an address that contains it (RFC 2397), for `src` of an `<img>`.

    Args:
        content: Of the file.
        mime: Its media type, such as `image/png`.
    """
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def percent(share: float) -> str:
    """A fraction from 0 to 1 as `12.3 %`."""
    return f"{100 * share:.1f} %"


def number(value: float, digits: int = 3) -> str:
    """A figure with a fixed number of decimals; integers as they are."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def write_page(path: Path, page: str) -> None:
    """Write a page in one step, so that a kill leaves the old one or the new one.

    Half a surrogate pair, which JSON can smuggle into a text and UTF-8 cannot hold, becomes `?`.

    Raises:
        OSError: It cannot be written, with its path as the file name; no part of it is left.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(page.encode("utf-8", "replace"))
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
