"""The page, read as a browser would."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest

from engine.model.spec import VideoSpec
from tests.training.audit.make_items import MakeItem
from training.audit.items import Item
from training.audit.page import (
    LONGEST_EDGE,
    SCRIPT,
    Picture,
    audit_document,
    build_page,
    interval,
    pictures,
    share,
)
from training.audit.proportion import Proportion
from training.audit.statistics import statistics, to_json
from training.audit.verdicts import FORMAT, VERDICTS
from training.datasets.clip import Clip, MediaCut
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue
from training.describe.description import PARTS

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--",
    "\"' onmouseover=alert(3) x='</p></article></main></html>",
    "]]>{{ 7 * 7 }}{% raw %}\u2028\u202e\x00\ud800&lt;b&gt;",
    "<style>body{display:none}</style><base href=https://evil.invalid><meta http-equiv=refresh>",
)


class Reader(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.text: list[str] = []
        self._script: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element; what follows a script tag is code or data."""
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id") or "code"
            self.scripts[self._script] = ""

    def handle_endtag(self, tag: str) -> None:
        """Only `</script` ends a script."""
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        """Keep the text, apart from what is in scripts."""
        if self._script is None:
            self.text.append(data)
        else:
            self.scripts[self._script] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element with a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def _page(items: list[Item], shown: list[tuple[Picture, ...]] | None = None) -> str:
    dialogue = Dialogue("d0", tuple(item.utterance for item in items))
    labels = tuple(dict.fromkeys(item.label for item in items))
    figures = statistics(Corpus("meld", labels, {"dev": (dialogue,)}), items)
    return build_page(figures, items, shown or [()] * len(items))


@pytest.fixture
def hostile(make_item: MakeItem) -> list[Item]:
    """Every text of a corpus and a teacher is hostile, often enough to be listed as frequent."""
    return [
        make_item(text, body=text, posture=text, label=text, speaker=text, text=text, dialogue=text)
        for text in HOSTILE
        for _ in range(25)
    ]


def test_hostile_texts_add_no_element_and_no_attribute(
    hostile: list[Item], make_item: MakeItem
) -> None:
    """The page has the same elements and the same kinds of attributes as with harmless texts."""
    harmless = [
        make_item(name, body=name, posture=name, label=name, speaker=name, text=name, dialogue=name)
        for name in "abcd"
        for _ in range(25)
    ]

    def kinds(page: str) -> list[tuple[str, list[str]]]:
        return [(tag, list(attributes)) for tag, attributes in Reader(page).elements]

    assert kinds(_page(hostile)) == kinds(_page(harmless))


def test_hostile_texts_are_shown_as_they_are(hostile: list[Item]) -> None:
    """Nothing is cut or rendered: a judge sees what the teacher wrote."""
    text = Reader(_page(hostile)).text

    for said in HOSTILE:
        assert sum(one == said for one in text) >= 25 * 5


def test_embedded_json_reads_back(hostile: list[Item]) -> None:
    """What the script and a program read is what was put in, hostile texts and all."""
    scripts = Reader(_page(hostile)).scripts
    dialogue = Dialogue("d0", tuple(item.utterance for item in hostile))
    corpus = Corpus("meld", HOSTILE, {"dev": (dialogue,)})

    assert sorted(scripts) == ["audit", "code", "statistics"]
    assert json.loads(scripts["audit"]) == audit_document(hostile)
    assert json.loads(scripts["statistics"]) == to_json(statistics(corpus, hostile))


def test_the_only_code_is_the_script_of_the_page(hostile: list[Item]) -> None:
    """It comes through unchanged, and no attribute holds code."""
    reader = Reader(_page(hostile))

    assert reader.scripts["code"] == SCRIPT.read_text(encoding="utf-8")
    handlers = [
        name for _, attributes in reader.elements for name in attributes if name[:2] == "on"
    ]
    assert handlers == []


def test_nothing_is_loaded(make_item: MakeItem, video: Path) -> None:
    """No address leads out of the page, and the policy would not let it."""
    item = make_item(clip=Clip(MediaCut(video), None))
    reader = Reader(_page([item], [pictures(item, VideoSpec(), 2)]))

    sources = [attributes["src"] for _, attributes in reader.elements if "src" in attributes]
    links = [attributes["href"] for _, attributes in reader.elements if "href" in attributes]
    (policy,) = (meta for meta in reader.named("meta") if "http-equiv" in meta)
    assert [str(source).partition(",")[0] for source in sources] == ["data:image/jpeg;base64"] * 2
    assert links == ["#sample"]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in str(policy["content"])


def test_every_item_can_be_judged(make_item: MakeItem) -> None:
    """Three parts, four verdicts each, in groups of their own, with a note."""
    reader = Reader(_page([make_item(), make_item()]))

    radios = [one for one in reader.named("input") if one.get("type") == "radio"]
    names = [str(radio["name"]) for radio in radios]
    notes = [one for one in reader.named("input") if one.get("aria-label", "")]
    assert [one.get("data-part") for one in reader.named("fieldset")] == [*PARTS, *PARTS]
    assert [radio["value"] for radio in radios] == list(VERDICTS) * 6
    assert names == [f"{part}-{place}" for place in (1, 2) for part in PARTS for _ in VERDICTS]
    assert len({note["aria-label"] for note in notes}) == 6


def test_the_label_is_hidden_until_asked_for(make_item: MakeItem) -> None:
    """It is in a closed disclosure and nowhere else in the item."""
    page = _page([make_item(label="bewildered")])
    item = page[page.index("<article") : page.index("</article>")]

    assert Reader(item).named("details") == [{"class": "label"}]
    assert item.count("bewildered") == 1
    assert item.index("<details") < item.index("bewildered") < item.index("</details>")


def test_identifiers_are_unique_and_references_lead_somewhere(make_item: MakeItem) -> None:
    """Labels of screen readers and the script find what they name."""
    reader = Reader(_page([make_item(), make_item()]))

    identifiers = [str(one["id"]) for _, one in reader.elements if "id" in one]
    labelled = [
        str(one["aria-labelledby"]) for _, one in reader.elements if "aria-labelledby" in one
    ]
    assert len(identifiers) == len(set(identifiers))
    assert set(labelled) <= set(identifiers)


def test_an_item_without_pictures_says_so(make_item: MakeItem, tmp_path: Path) -> None:
    """No clip, a missing file and a broken one look the same and stop nothing."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    clips = [
        None,
        Clip(None, MediaCut(broken)),
        Clip(MediaCut(tmp_path / "gone.mp4"), None),
        Clip(MediaCut(broken), None),
    ]
    items = [make_item(clip=clip) for clip in clips]
    shown = [pictures(item, VideoSpec(), 4) for item in items]

    page = _page(items, shown)

    assert shown == [()] * 4
    assert page.count("No pictures: this copy") == 4
    assert Reader(page).named("img") == []


def test_pictures_are_those_of_the_cut(make_item: MakeItem, video: Path) -> None:
    """Times run from the start of the utterance; pictures brighten as the clip does."""
    item = make_item(clip=Clip(MediaCut(video, 0.4, 0.9), None))

    shown = pictures(item, VideoSpec(), 3)

    images = [_decode(picture) for picture in shown]
    assert len(shown) == 3
    assert 0 <= shown[0].seconds < shown[1].seconds < shown[2].seconds < 0.5
    assert images[0].shape == (48, 64, 3)
    assert 70 < images[0].mean() < images[1].mean() < images[2].mean()


def test_pictures_are_made_small(make_item: MakeItem, tmp_path: Path) -> None:
    """A page of many large pictures would not open."""
    path = tmp_path / "large.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(1280, 720, "yuv420p")))
        container.mux(stream.encode(None))

    (picture,) = pictures(make_item(clip=Clip(MediaCut(path), None)), VideoSpec(), 1)

    assert max(_decode(picture).shape) == LONGEST_EDGE


def test_the_page_names_what_was_judged(make_item: MakeItem) -> None:
    """Another wording or another order is another page, so verdicts are not mixed up."""
    first, second = make_item("Brows up."), make_item("Brows down.")

    identities = [audit_document(items)["id"] for items in ([first, second], [second, first])]

    assert identities[0] != identities[1]
    assert audit_document([first])["items"][0]["description_sha256"] == first.digest


def test_shares_are_written_for_reading() -> None:
    """Nothing has neither a share nor an interval."""
    assert share(Proportion(1, 8)) == "12.5 %"
    assert interval(Proportion(81, 263)) == "26 to 37 %"
    assert (share(Proportion(0, 0)), interval(Proportion(0, 0))) == ("-", "")


def test_script_and_program_agree_on_words() -> None:
    """The script writes what `verdicts` reads: format, verdicts and parts."""
    script = SCRIPT.read_text(encoding="utf-8")

    assert f'const FORMAT = "{FORMAT}";' in script
    assert f"const VERDICTS = {json.dumps(VERDICTS)};" in script
    assert f"const PARTS = {json.dumps(PARTS)};" in script


def _decode(picture: Picture) -> Any:
    content = base64.b64decode(picture.uri.partition(",")[2])
    with av.open(BytesIO(content), "r", format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")
