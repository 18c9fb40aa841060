"""The manifest of own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import UserError
from training.datasets.clip import Clip, MediaCut
from training.datasets.manifest import open_manifest

LINE: dict[str, Any] = {
    "split": "train",
    "dialogue": "d1",
    "utterance": 0,
    "speaker": "Ann",
    "text": "Well.",
    "emotion": "calm",
}


def write(folder: Path, *lines: dict[str, Any] | str) -> Path:
    """A manifest with these lines; returns its folder."""
    folder.mkdir(exist_ok=True)
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "manifest.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder


def test_utterances(tmp_path: Path) -> None:
    """Lines in any order become dialogues in the order of their utterance ids."""
    corpus = open_manifest(
        write(
            tmp_path,
            LINE | {"utterance": 1, "text": "Yes?", "speaker": "Bo", "emotion": "tense"},
            "",
            LINE,
            LINE | {"split": "dev"},
        )
    )
    assert (corpus.name, corpus.labels, list(corpus.splits)) == (
        "manifest",
        ("calm", "tense"),
        ["train", "dev"],
    )
    (dialogue,) = corpus.splits["train"]
    assert [(one.speaker, one.text, one.emotion) for one in dialogue.utterances] == [
        ("Ann", "Well.", "calm"),
        ("Bo", "Yes?", "tense"),
    ]
    assert dialogue.utterances[0].clip is None


def test_a_file_of_another_name(tmp_path: Path) -> None:
    """The manifest itself may be named instead of its folder."""
    path = write(tmp_path, LINE) / "manifest.jsonl"
    assert open_manifest(path.rename(tmp_path / "mine.jsonl")).labels == ("calm",)


def test_clip(tmp_path: Path) -> None:
    """Paths are those of the manifest's folder; start and end cut both files."""
    media = {"video": "clips/a.mp4", "audio": "a.wav", "start": 1, "end": 2.5, "side": "right"}
    (one,) = open_manifest(write(tmp_path, LINE | media)).utterances("train")
    assert one.clip == Clip(
        MediaCut(tmp_path / "clips/a.mp4", 1.0, 2.5),
        MediaCut(tmp_path / "a.wav", 1.0, 2.5),
        "right",
    )
    assert (one.start, one.end) == (1.0, 2.5)


def test_no_target(tmp_path: Path) -> None:
    """Without an emotion, with an empty one or with null an utterance is context only."""
    bare = {key: value for key, value in LINE.items() if key != "emotion"}
    lines = (bare, bare | {"utterance": 1, "emotion": ""}, bare | {"utterance": 2, "emotion": None})
    corpus = open_manifest(write(tmp_path, *lines, LINE | {"utterance": 3}))
    assert [one.emotion for one in corpus.utterances("train")] == ["", "", "", "calm"]
    assert corpus.labels == ("calm",)


def test_header_orders_the_labels(tmp_path: Path) -> None:
    """A first line with labels gives their order and those that do not occur."""
    corpus = open_manifest(write(tmp_path, {"labels": ["tense", "calm", "glad"]}, LINE))
    assert corpus.labels == ("tense", "calm", "glad")


def test_byte_order_mark(tmp_path: Path) -> None:
    """A manifest written by an editor of Windows can be read."""
    (tmp_path / "manifest.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\r\n")
    assert len(open_manifest(tmp_path).splits["train"]) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (LINE, "train d1 utterance 0 is already on line 2"),
        (LINE | {"emotion": "glad"}, "emotion is 'glad', expected one of calm, tense"),
        (LINE | {"split": "val"}, "split is 'val', expected one of train, dev, test"),
        (LINE | {"utterance": "1"}, "utterance is '1', expected a whole number"),
        (LINE | {"utterance": True}, "utterance is True, expected a whole number"),
        (LINE | {"utterance": -1}, "utterance is -1"),
        (LINE | {"speaker": ""}, "speaker is '', expected text"),
        (LINE | {"text": None}, "text is None, expected text"),
        (LINE | {"start": -1}, "start is -1, expected seconds"),
        (LINE | {"start": True}, "start is True"),
        (LINE | {"start": 2, "end": 2}, "end is 2, which is not after start"),
        (LINE | {"side": "middle"}, "side is 'middle', expected one of left, right"),
        (LINE | {"vidoe": "a.mp4"}, "unknown key vidoe; the keys are split"),
        ({"split": "train"}, "no dialogue, utterance, speaker, text; required are"),
        (LINE | {"video": ["a"]}, r"video is \['a'\], expected text"),
        (LINE | {"video": "a\0.mp4"}, "which is no path"),
        (LINE | {"video": "\ud800.mp4"}, "half a character"),
        ("[1]", "expected an object"),
        ("{", "no JSON in UTF-8"),
        ('{"start": NaN}', "NaN is no number"),
        ('{"split": "dev", "split": "dev"}', "a key is there twice"),
        ("[" * 100_000, "no JSON in UTF-8"),
        ('{"start": ' + "9" * 5000 + "}", "no JSON in UTF-8"),
    ],
)
def test_malformed(tmp_path: Path, line: dict[str, Any] | str, problem: str) -> None:
    """The message names the file, the line and the key."""
    folder = write(tmp_path, {"labels": ["calm", "tense"]}, LINE, line)
    with pytest.raises(UserError, match=rf"manifest\.jsonl, line 3: .*{problem}"):
        open_manifest(folder)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"labels": "calm"}, "labels is no list"),
        ({"labels": []}, "labels is no list"),
        ({"labels": ["calm", "calm"]}, "labels is no list of different words"),
        ({"labels": ["calm", ""]}, "labels is no list of different words"),
        ({"absolute_paths": 1}, "neither true nor false"),
        ({"lables": ["calm"]}, "unknown key lables; the keys are labels, absolute_paths"),
    ],
)
def test_malformed_header(tmp_path: Path, header: dict[str, Any], problem: str) -> None:
    """The header is checked as strictly."""
    with pytest.raises(UserError, match=rf"line 1: .*{problem}"):
        open_manifest(write(tmp_path, header, LINE))


def test_a_header_further_down(tmp_path: Path) -> None:
    """Labels on any other line are a mistake."""
    with pytest.raises(UserError, match="line 2: unknown key labels"):
        open_manifest(write(tmp_path, LINE, {"labels": ["calm"]}))


def test_wrong_encoding(tmp_path: Path) -> None:
    """What is not UTF-8 is refused with its line."""
    content = json.dumps(LINE).encode() + b'\n{"text": "caf\xe9"}\n'
    (tmp_path / "manifest.jsonl").write_bytes(content)
    with pytest.raises(UserError, match="line 2: no JSON in UTF-8"):
        open_manifest(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", '{"labels": ["a"]}\n'])
def test_nothing_in_it(tmp_path: Path, content: str) -> None:
    """A manifest without utterances is refused."""
    (tmp_path / "manifest.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="no utterances"):
        open_manifest(tmp_path)


def test_links_in_a_circle(tmp_path: Path) -> None:
    """A link to itself is no file: the message names the line."""
    write(tmp_path, LINE | {"video": "a.mp4"})
    (tmp_path / "a.mp4").symlink_to("a.mp4")
    with pytest.raises(UserError, match=r"line 1: video is .a\.mp4., which leads nowhere"):
        open_manifest(tmp_path)


@pytest.mark.parametrize("path", ["../a.mp4", "clips/../../a.mp4", "/etc/passwd", "link/a.mp4"])
def test_paths_stay_in_the_folder(tmp_path: Path, path: str) -> None:
    """No path leads out of the manifest's folder, by name or by link, unless the header allows."""
    folder = tmp_path / "data"
    lines = (LINE | {"video": path},)
    write(folder, *lines)
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"line 1: video is .* outside the manifest's folder"):
        open_manifest(folder)
    (one,) = open_manifest(write(folder, {"absolute_paths": True}, *lines)).utterances("train")
    assert one.clip is not None
    assert one.clip.video == MediaCut(folder / path)


def test_a_path_within_that_goes_up(tmp_path: Path) -> None:
    """Going up and down again within the folder is no way out."""
    (one,) = open_manifest(write(tmp_path, LINE | {"audio": "a/../b.wav"})).utterances("train")
    assert one.clip == Clip(None, MediaCut(tmp_path / "a/../b.wav"))


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from([*LINE, "video", "start", "end", "side", "labels"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    )
)
def test_any_object(tmp_path: Path, cells: dict[str, Any]) -> None:
    """Whatever the values are, a line is either an utterance or a user's mistake."""
    folder = write(tmp_path, LINE, LINE | {"utterance": 1} | cells)
    problem = ""
    try:
        corpus = open_manifest(folder)
    except UserError as error:
        problem = str(error)
    if problem:
        assert "line 2: " in problem
    else:
        assert sum(1 for split in corpus.splits for _ in corpus.utterances(split)) == 2


def test_missing_manifest(tmp_path: Path) -> None:
    """A folder without one is refused with the layout."""
    with pytest.raises(UserError, match=r"no manifest\.jsonl(.|\n)*my-data/"):
        open_manifest(tmp_path)


def test_the_example_of_the_documents(tmp_path: Path) -> None:
    """The manifest in docs/data.md can be opened as it stands there."""
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    example = text[text.index('{"labels"') :].partition("```")[0]
    (tmp_path / "manifest.jsonl").write_text(example, encoding="utf-8")
    corpus = open_manifest(tmp_path)
    assert corpus.labels == ("calm", "tense", "glad")
    assert {split: len(found) for split, found in corpus.splits.items()} == {"train": 1, "dev": 1}
