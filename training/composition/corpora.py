"""Where the corpora of the compact bundle lie below one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.errors import UserError


@dataclass(frozen=True)
class CompactCorpora:
    """Paths of what the compact bundle is trained on."""

    meld_train: Path
    """`train_sent_emo.csv`."""
    meld_dev: Path
    """`dev_sent_emo.csv`."""
    faces: Path
    """Folder of FER2013 with FERPlus, read with a usage."""
    faces_dev: Path
    """Its PublicTest: a parquet, or the folder again."""
    speech: Path
    """Folder below which the speech corpora are found by file name."""

    @classmethod
    def below(cls, folder: Path) -> CompactCorpora:
        """The layout of docs/data.md: `meld/`, `fer2013/` and speech corpora in one folder.

        Raises:
            UserError: a part is missing.
        """
        meld, faces = folder / "meld", folder / "fer2013"
        for path in (meld / "train_sent_emo.csv", meld / "dev_sent_emo.csv", faces):
            if not path.exists():
                raise UserError(f"{path} is missing; see docs/data.md for the folder's layout")
        parquet = faces / "PublicTest.parquet"
        return cls(
            meld_train=meld / "train_sent_emo.csv",
            meld_dev=meld / "dev_sent_emo.csv",
            faces=faces,
            faces_dev=parquet if parquet.exists() else faces,
            speech=folder,
        )
