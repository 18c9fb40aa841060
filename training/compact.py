"""Train the compact bundle: face encoder, speech encoder, stage 2, bundle; each resumes.

    python -m training.compact --data FOLDER --out bundles/compact
    python -m training.compact --smoke

On two CPU cores this takes about three hours (docs/training.md has the parts). A step
whose weights are there is not repeated: delete its folder below ``--runs`` to train anew.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from training import bundle, face, speech, stage2
from training.corpora import Corpora
from training.progress import console
from training.script import Job, run_script, script_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and do all steps."""
    parser = script_parser("training.compact", __doc__, needs="MELD, FER2013 and speech corpora")
    parser.add_argument("--out", type=Path, default=Path("bundles/compact"))
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    corpora = Corpora.below(job.data)
    seed = job.options.seed
    console.rule("1/4 face encoder")
    options = face.FaceTraining(seed=seed)
    face.train(corpora.faces, job.spec.video, options, job.runs / "face")
    console.rule("2/4 speech encoder")
    if not (job.runs / "speech" / "out_of_fold.safetensors").exists():
        settings = speech.SpeechTraining(seed=seed)
        speech.train(corpora.speech, job.spec.audio, settings, job.runs / "speech", job.cache)
    console.rule("3/4 stage 2")
    stage2.train(corpora, job.spec, stage2.Stage2Training(), job.runs, job.cache, seed)
    console.rule("4/4 bundle")
    out = job.runs / "bundle" if job.smoke else job.options.out
    bundle.build(corpora, job.spec, job.runs, out, job.cache)


if __name__ == "__main__":
    sys.exit(main())
