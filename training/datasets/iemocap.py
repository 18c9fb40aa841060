"""IEMOCAP: ten actors in pairs, improvised and scripted (Busso et al., 2008).

- **Six classes** with excited apart from happy: 7,380 utterances with a target. The other 2,659
  (no agreement, or a class too rare to report) stay in their dialogue as context, with the
  emotion "".
- **Splits.** Session 5, whose actors are in no other, is test. The release has no dev split; ours
  is `DEV_DIALOGUES`, of sessions 1 to 4. Its actors are in train too, so dev figures are higher
  than those of test will be.
"""

from __future__ import annotations

from pathlib import Path

from stream.errors import UserError
from training.datasets.clip import Clip, MediaCut
from training.datasets.corpus import SPLITS, Corpus, require_folder, wrong_layout
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.folders import files_in, folders_below
from training.datasets.iemocap_files import Evaluation, read_evaluation, read_transcript
from training.datasets.iemocap_names import session_of
from training.datasets.labels import IEMOCAP_LABELS

TEST_SESSION = 5

DEV_DIALOGUES = frozenset(
    {
        "Ses01F_impro01",
        "Ses01M_impro05",
        "Ses01F_script01_1",
        "Ses02F_impro02",
        "Ses02M_impro06",
        "Ses02M_script02_1",
        "Ses03F_impro03",
        "Ses03M_impro07",
        "Ses03F_script03_1",
        "Ses04F_impro04",
        "Ses04M_impro08",
        "Ses04M_script01_3",
    }
)
"""A tenth of the 120 recordings of sessions 1 to 4, and of every session three: an improvisation
with the woman recorded, one with the man, and a script. All eight improvised scenarios are in it,
because the scenario decides which emotions there are to express."""

TREE = """\
  IEMOCAP_full_release/
    Session1/  ...  Session5/
      dialog/EmoEvaluation/Ses01F_impro01.txt ...
      dialog/transcriptions/Ses01F_impro01.txt ...
      dialog/avi/DivX/Ses01F_impro01.avi ...                               (optional)
      sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav ...             (optional)"""


def open_iemocap(folder: Path) -> Corpus:
    """Read IEMOCAP in the layout of its release.

    Args:
        folder: Holds `Session1` to `Session5`, or one folder that holds them.

    Returns:
        Dialogues named as the recordings; the ids of their utterances are positions in time, from
        0. Where sound or pictures are not in the copy, the clip lacks them.

    Raises:
        UserError: If no session is there, or a file is malformed or missing.
    """
    require_folder(folder, TREE)
    evaluations = _evaluation_files(folder)
    if not evaluations:
        raise wrong_layout(folder, "no SessionN/dialog/EmoEvaluation/*.txt of IEMOCAP in it", TREE)
    dialogues: dict[str, list[Dialogue]] = {}
    for path in evaluations:
        dialogues.setdefault(split_of(path.stem), []).append(_read_dialogue(path))
    splits = {split: tuple(dialogues[split]) for split in SPLITS if split in dialogues}
    return Corpus("iemocap", IEMOCAP_LABELS, splits)


def split_of(dialogue: str) -> str:
    """The split, of `SPLITS`, of a recording."""
    if session_of(dialogue) == TEST_SESSION:
        return "test"
    return "dev" if dialogue in DEV_DIALOGUES else "train"


def _evaluation_files(folder: Path) -> list[Path]:
    """The evaluations of all sessions; macOS's `._` files and the single annotators' are passed."""
    for parent in folders_below(folder, 1):
        sessions = [parent / f"Session{number}" for number in range(1, 6)]
        folders = [session / "dialog" / "EmoEvaluation" for session in sessions]
        files = (path for each in folders if each.is_dir() for path in files_in(each))
        found = [path for path in files if path.suffix == ".txt" and session_of(path.stem)]
        if found:
            return found
    return []


def _read_dialogue(path: Path) -> Dialogue:
    session = path.parents[2]
    transcript = session / "dialog" / "transcriptions" / path.name
    words = read_transcript(transcript)
    evaluations = sorted(read_evaluation(path), key=lambda one: (one.start, one.end, one.name))
    for evaluation in evaluations:
        if evaluation.name not in words:
            raise UserError(
                f"{transcript}: no words of {evaluation.name}, which {path.name} has; "
                "the file is cut off: take it from the release again"
            )
    utterances = tuple(
        DialogueUtterance(
            dialogue_id=path.stem,
            utterance_id=number,
            speaker=evaluation.parts.speaker,
            text=words[evaluation.name],
            emotion=evaluation.emotion,
            start=evaluation.start,
            end=evaluation.end,
            clip=_clip(session, evaluation),
        )
        for number, evaluation in enumerate(evaluations)
    )
    return Dialogue(path.stem, utterances)


def _clip(session: Path, evaluation: Evaluation) -> Clip | None:
    """Pictures cut from the recording; sound from the release's own cut, which has one channel.

    The sound of whole recordings (`dialog/wav`) is in stereo and would have to be cut first.
    """
    dialogue = evaluation.parts.dialogue
    avi = session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi"
    wav = session / "sentences" / "wav" / dialogue / f"{evaluation.name}.wav"
    video = MediaCut(avi, evaluation.start, evaluation.end) if avi.is_file() else None
    audio = MediaCut(wav) if wav.is_file() else None
    return Clip(video, audio, evaluation.parts.side) if video or audio else None
