"""The command line: defaults, contradictions, and what a newcomer reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import cli


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which the arguments are refused."""
    with pytest.raises(SystemExit) as caught:
        cli.parse(arguments, "1.2.3")
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_file_with_all_defaults() -> None:
    """Everything is used, nothing is written, the words stay here."""
    options = cli.parse(["--file", "talk.mp4"], "1.2.3")
    assert options.uri == "talk.mp4"
    assert (options.audio, options.video, options.text) == (True, True, True)
    assert (options.transcript, options.pace) == ("asr", "max")
    assert (options.mqtt, options.jsonl, options.include_text) == (None, None, False)
    assert options.bundle.parts[-2:] == ("bundles", "compact")
    assert options.node
    assert options.behaviour
    assert options.abstain_below is None
    assert not options.people


def test_every_option_is_read() -> None:
    """Each flag ends in the option of its name."""
    line = (
        "--camera 1 --mic USB --bundle b --mqtt off --jsonl e.jsonl --no-text --pace real "
        "--participant anna --threads 3 --node kitchen --include-text --no-behaviour "
        "--abstain-below 0.45 --people"
    )
    options = cli.parse(line.split(), "1.2.3")
    assert (options.uri, options.microphone) == ("camera://1", "USB")
    assert (options.bundle, options.jsonl) == (Path("b"), Path("e.jsonl"))
    assert (options.mqtt, options.text, options.pace) == ("off", False, "real")
    assert (options.participant, options.threads, options.node) == ("anna", 3, "kitchen")
    assert options.include_text
    assert not options.behaviour
    assert options.abstain_below == 0.45
    assert options.people


def test_a_camera_alone() -> None:
    """`--camera 0` is enough, and takes the default microphone."""
    options = cli.parse(["--camera", "0"], "1.2.3")
    assert (options.uri, options.microphone, options.audio) == ("camera://0", None, True)


def test_a_microphone_alone() -> None:
    """Without a camera, `--mic` is an input without pictures."""
    options = cli.parse(["--mic", "2"], "1.2.3")
    assert (options.uri, options.microphone, options.video) == ("camera://0", "2", False)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "no input"),
        ("--bogus", "--bogus"),
        ("talk.mp4", "talk.mp4"),
        ("--file a --camera 0", "--file and --camera are two inputs"),
        ("--camera 0 --rtsp rtsp://h/s", "--camera and --rtsp are two inputs"),
        ("--camera -1", "--camera"),
        ("--camera front", "no whole number"),
        ("--rtsp http://h/s", "rtsp://HOST/PATH"),
        ("--file a --mic b", "--mic does not go with --file"),
        ("--file a --no-audio --no-video", "--no-audio leaves nothing"),
        ("--mic a --no-audio", "--no-audio leaves nothing"),
        ("--camera 0 --people --no-audio", "--people needs sound"),
        ("--file a --no-text --transcript asr", "contradict"),
        ("--camera 0 --transcript beside", "needs --file"),
        ("--file a --pace slow", "--pace"),
        ("--file a --threads 0", "from 1 up"),
        ("--file a --abstain-below 1.5", "from 0 to 1"),
        ("--file a --abstain-below nan", "from 0 to 1"),
        ("--file a --abstain-below half", "from 0 to 1"),
        ("--fil a", "did you mean --file?"),
        ("--camra 0", "did you mean --camera?"),
        ("--file a --file b", "--file is given more than once"),
        ("--file a --file=b", "--file is given more than once"),
        ("--camera 0 --camera 0", "--camera is given more than once"),
        ("--file a --jsonl b --jsonl c", "--jsonl is given more than once"),
        ("--file=", "--file is empty"),
        ("--file a --metrics 70000", "the highest is 65535"),
        ("--file a --metrics -1", "no whole number"),
        ("--file --camera 0", "--file: expected one argument"),
        ("--file - --transcript beside", "nothing lies beside standard input"),
        ("--file a --jsonl", "--jsonl: expected one argument"),
    ],
)
def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str], line: str, complaint: str
) -> None:
    """Exit code 2, what is wrong, and where to read on."""
    message = refusal(capsys, *line.split())
    assert message.startswith("error: ")
    assert complaint in message
    assert message.endswith("see python run_live.py --help\n")


@pytest.mark.parametrize("name", ["-x.wav", "--x", "-", "a b", "-1"])
def test_a_file_may_have_any_name(name: str) -> None:
    """Also one that begins as options do; a dash alone is standard input."""
    uri = cli.parse(["--file", name, "--jsonl", "-o.jsonl"], "1.2.3").uri
    assert uri == (cli.STDIN_URI if name == "-" else name)


def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """What is repeated of a mistake cannot steer the terminal."""
    message = refusal(capsys, "--file", "a", "\x1b[2Jb\x07")
    assert message.rstrip("\n").isprintable()
    assert "\\x1b[2Jb" in message


def test_events_do_not_go_into_what_is_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Under whatever name the file is given."""
    (tmp_path / "talk.mp4").touch()
    out = str(tmp_path / "." / "talk.mp4")
    message = refusal(capsys, "--file", str(tmp_path / "talk.mp4"), "--jsonl", out)
    assert "--jsonl would write into" in message


def test_a_port_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is loaded."""
    assert cli.parse_serve(["--port", "65535", "--metrics", "0"]).port == 65_535
    for port in ("65536", "70000", "-1", "x", ""):
        with pytest.raises(SystemExit) as caught:
            cli.parse_serve(["--port", port])
        assert caught.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_options_are_written_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """By every command."""
    for parse in (cli.parse_serve, cli.parse_watch, cli.parse_devices):
        with pytest.raises(SystemExit) as caught:
            parse(["--hel"])
        assert caught.value.code == 2
        assert "--help" in capsys.readouterr().err


def test_help_says_what_it_is_not_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Expressed emotion, examples, the other commands, and the legal limit are all there."""
    with pytest.raises(SystemExit) as caught:
        cli.parse(["--help"], "1.2.3")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for part in ("EXPRESSED", "Art. 5(1)(f)", "python run_live.py watch", "--file talk.mp4"):
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_watch_options() -> None:
    """Topics may be repeated; the default broker is the embedded one."""
    assert cli.parse_watch([]) == cli.WatchOptions(cli.BROKER, (), False)
    options = cli.parse_watch(["--topic", "a/#", "--topic", "b", "--json", "--mqtt", "mqtt://h"])
    assert options == cli.WatchOptions("mqtt://h", ("a/#", "b"), True)


def test_devices_takes_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """A stray argument is refused and not ignored."""
    cli.parse_devices([])
    with pytest.raises(SystemExit):
        cli.parse_devices(["all"])
    assert "see python run_live.py devices --help" in capsys.readouterr().err
