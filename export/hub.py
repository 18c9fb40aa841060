"""Models of the Hugging Face hub, without anything that could run code."""

from __future__ import annotations

from pathlib import Path

from stream.errors import UserError

SAFE_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model")
"""What is downloaded: no pickled weights and no Python files."""


def snapshot(name: str, *, offline: bool = False) -> Path:
    """The folder of a hub model in the hub's own cache, downloaded where needed.

    Args:
        name: `org/name`.
        offline: Use only what the hub's cache has.

    Raises:
        UserError: If the hub cannot be reached, has no such model, or only pickled weights.
    """
    # Imported here: the models known by name do not need the hub's client.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(name, allow_patterns=list(SAFE_FILES), local_files_only=offline)
        )
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{name} is not on this machine and the Hugging Face hub cannot be reached: "
            "connect, or give the path of a folder that has the model"
        ) from error
    except (HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise UserError(
            f"cannot get {name} from the Hugging Face hub ({reason}): check the name, and for a "
            "model with restricted access log in with `hf auth login`"
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{name} has no safetensors weights, and pickled weights are not loaded: convert it "
            "once where you trust it (docs/training.md, Troubleshooting) and give that folder, or "
            "choose another model"
        )
    return folder
