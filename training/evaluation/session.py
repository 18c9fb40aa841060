"""Bundles, one after another, on the same examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.model.encoders import Encoders
from engine.model.recognizer import read_spec
from export.models import resolve
from stream.errors import UserError
from training.clips.prepare import PreparedReport, prepare
from training.evaluation import examples
from training.evaluation.conversations import (
    CONVERSATIONS,
    Conversations,
    degraded,
    encode,
    read_conversations,
    to_examples,
    truth_of,
    with_texts,
)
from training.evaluation.document import About, Evaluation, Heard, bring_together
from training.evaluation.predict import Examples, remove
from training.evaluation.scoring import score
from training.evaluation.subjects import (
    Subject,
    load_subject,
    require_same_labels,
    shared_weights,
)
from training.evaluation.summary import Run
from training.evaluation.transcripts import Transcripts, transcribe
from training.evaluation.word_errors import word_errors
from training.progress import console

WORDS = ("human", "asr", "both")
"""Whose transcripts are read."""


@dataclass(frozen=True)
class Session:
    """One call of `training.evaluate`."""

    about: About
    bundles: tuple[Path, ...]
    """One for each seed; one is in memory at a time."""
    path: Path
    """File or folder of the corpus."""
    cache: Path
    """Folder of what is computed from media."""
    request: Callable[[Encoders, tuple[str, ...]], examples.Request]
    """What is asked of a corpus without conversations, for a bundle's encoders and labels."""
    split: str | None = None
    """Of a corpus of conversations that is given as a folder; dev for None."""
    jobs: int = 1
    """Processes that read clips."""
    base_model: str | None = None
    """Instead of the base that the bundles name."""
    asr_model: str = "whisper-tiny.en"
    """Name that `export.models` resolves."""
    threads: int = 2
    seed: int = 1
    """Of the noise."""
    prosody: Path | None = None
    """Published prosody of a csv of MELD; None for the file beside it, if there is one."""

    def run(self) -> Evaluation:
        """Score every bundle.

        Raises:
            UserError: Bundles, corpus or options do not go together.
        """
        require_same_labels(self.bundles)
        about = replace(self.about, shared=shared_weights(self.bundles))
        if about.dataset in CONVERSATIONS:
            return self._conversations(about)
        return bring_together(about, [self._examples(path) for path in self.bundles], [])

    def _examples(self, bundle: Path) -> Run:
        """A bundle on a corpus without conversations."""
        subject = self._load(bundle)
        assert subject.encoders is not None  # zero-shot is for conversations alone
        request = self.request(subject.encoders, subject.model.spec.labels)
        return self._run(subject, examples.read(self.about.dataset, request))

    def _conversations(self, about: About) -> Evaluation:
        conversations = read_conversations(self.about.dataset, self.path, self.split, self.prosody)
        for bundle in self.bundles if self.prosody is not None else ():
            if not read_spec(bundle).prosody:
                raise UserError(f"--prosody: {bundle} does not read prosody; leave the option out")
        # A mistake in the labels is said before anything costs time.
        truth_of(conversations, read_spec(self.bundles[0]).labels)
        transcripts = self._transcribe(conversations)
        noisy = self._degrade(conversations)
        human, asr = list[Run](), list[Run]()
        clips: PreparedReport | None = None
        for bundle in self.bundles:
            subject = self._load(bundle)
            labels = subject.model.spec.labels
            turns = encode(conversations, self._encoders(subject), self.cache, self.jobs)
            if noisy is not None:
                turns = with_texts(turns, noisy)
            if self.about.words != "asr":
                human.append(self._run(subject, to_examples(conversations, turns, labels)))
            if transcripts is not None:
                heard = with_texts(turns, transcripts.texts)
                asr.append(self._run(subject, to_examples(conversations, heard, labels)))
            clips = clips or self._clips(subject, conversations)
        return bring_together(
            replace(about, split=conversations.split),
            human,
            asr,
            self._heard(conversations, transcripts, noisy),
            clips,
        )

    def _load(self, bundle: Path) -> Subject:
        zero_shot = self.about.zero_shot
        return load_subject(bundle, self.base_model, zero_shot=zero_shot, threads=self.threads)

    def _encoders(self, subject: Subject) -> Encoders | None:
        """None where words alone are asked for: then no clip is read."""
        return None if {"audio", "video"} <= set(self.about.without) else subject.encoders

    def _run(self, subject: Subject, chosen: Examples) -> Run:
        console.print(f"{subject.bundle} on {self.path}", markup=False, highlight=False)
        scored = score(subject.model, subject.calibration, remove(chosen, self.about.without))
        return Run(str(subject.bundle), subject.sha256, subject.training, scored)

    def _transcribe(self, conversations: Conversations) -> Transcripts | None:
        if self.about.words == "human":
            return None
        model = resolve(self.asr_model)
        return transcribe(conversations.clips, model, self.cache, self.threads)

    def _degrade(self, conversations: Conversations) -> list[str] | None:
        """The corpus's words as a recogniser would write them, where that is asked for."""
        if self.about.noise is None:
            return None
        about = self.about
        return degraded(conversations, about.noise or 0.0, self.seed, punctuated=about.punctuated)

    def _heard(
        self,
        conversations: Conversations,
        transcripts: Transcripts | None,
        noisy: list[str] | None,
    ) -> Heard | None:
        if noisy is not None:
            return Heard(word_errors(conversations.texts, noisy), 0)
        return None if transcripts is None else _heard(conversations, transcripts)

    def _clips(self, subject: Subject, conversations: Conversations) -> PreparedReport | None:
        """What was wrong with the clips, which are in the cache by now."""
        if self._encoders(subject) is None or not any(conversations.clips):
            return None
        return prepare(conversations.dialogues, subject.model.spec, self.cache, self.jobs)


def _heard(conversations: Conversations, transcripts: Transcripts) -> Heard:
    """Compare with the corpus's transcripts where there was something to hear."""
    pairs = [
        (text, heard or "")
        for text, heard, sounded in zip(
            conversations.texts, transcripts.texts, transcripts.sounded, strict=True
        )
        if sounded
    ]
    references, recognised = ([pair[side] for pair in pairs] for side in (0, 1))
    return Heard(word_errors(references, recognised), transcripts.sounded.count(False))
