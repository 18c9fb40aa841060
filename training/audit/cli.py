"""Audit a teacher's descriptions: figures over all of them, and a page for a person to judge some.

    python -m training.audit RECIPE DESCRIPTIONS.jsonl --data DIR [--out audit.html]
    python -m training.audit --verdicts ANNA.json BEN.json

The first writes one HTML file, which opens from disk and needs no network, and prints the main
figures. A judge opens it, looks at the pictures, says of every part of 50 descriptions whether
it is accurate, and saves a file. The second says what one or more such files come to: the share
of accurate parts, and how far two judges agree. docs/audit.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from engine.arguments import Parser
from stream.errors import UserError
from stream.printable import printable
from training.audit.items import Item, join
from training.audit.page import Picture, build_page, interval, pictures, share
from training.audit.proportion import Proportion
from training.audit.sample import sample
from training.audit.statistics import Statistics, statistics, to_json
from training.audit.verdicts import VERDICTS, read_judgement, summarise
from training.html import number, percent, write_page
from training.progress import Results, console, progress_bar
from training.recipe import Recipe, read_recipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, and audit descriptions or summarise verdicts."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.verdicts:
            _summarise(options)
        elif options.descriptions is None or options.data is None:
            parser.error("give RECIPE, DESCRIPTIONS.jsonl and --data, or --verdicts FILE ...")
        else:
            _audit(options)
    except UserError as error:
        console.print(f"error: {escape(str(error))}", soft_wrap=True, highlight=False)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m training.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", nargs="?", help="name or TOML file: the corpus and its pictures")
    parser.add_argument(
        "descriptions", nargs="?", type=Path, help="what training.describe wrote, JSONL"
    )
    parser.add_argument("--data", type=Path, help="folder of corpora (docs/data.md)")
    parser.add_argument(
        "--out", type=Path, default=Path("audit.html"), help="the page; default audit.html"
    )
    parser.add_argument(
        "--sample", type=_positive, default=50, help="descriptions to judge; default 50"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the sample; default 1")
    parser.add_argument("--frames", type=_positive, default=4, help="pictures of each; default 4")
    parser.add_argument(
        "--verdicts", type=Path, nargs="+", metavar="FILE", help="summarise files saved by the page"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _audit(options: argparse.Namespace) -> None:
    # Opening a corpus pulls in all readers; the verdicts of judges need none.
    from training.datasets.corpora import open_corpus
    from training.describe.records import read_descriptions

    recipe = read_recipe(options.recipe)
    descriptions = read_descriptions(options.descriptions)
    if not descriptions:
        raise UserError(
            f"{options.descriptions} has no description: run training.describe, with "
            "--retry-failed where the teacher failed"
        )
    corpus = open_corpus(recipe.corpus, options.data / recipe.corpus)
    items = join(corpus, descriptions)
    figures = statistics(corpus, items, options.seed)
    chosen = sample(items, options.sample, options.seed)
    page = build_page(figures, chosen, _read_pictures(recipe, chosen, options.frames))
    try:
        write_page(options.out, page)
    except OSError as error:
        raise UserError(f"cannot write {options.out} ({error.strerror}): choose --out") from error
    console.print(f"wrote {options.out}: open it in a browser", soft_wrap=True, markup=False)
    if options.json:
        _print_json(to_json(figures))
    else:
        Results().print(_headlines(figures))


def _read_pictures(recipe: Recipe, chosen: Sequence[Item], count: int) -> list[tuple[Picture, ...]]:
    with progress_bar() as progress:
        task = progress.add_task("pictures", total=len(chosen), note="")
        shown = []
        for item in chosen:
            shown.append(pictures(item, recipe.spec.video, count))
            progress.advance(task)
    return shown


def _headlines(figures: Statistics) -> Table:
    whole, leakage = figures.diversity["all"], figures.leakage
    rows = {
        "descriptions": number(figures.described),
        "utterances without one": number(figures.undescribed),
        "words, on average": number(figures.lengths["all"].mean, 1),
        "distinct-2": number(whole.distinct[2], 4),
        "self-BLEU": number(whole.self_bleu),
        "sentences more than once": share(whole.identical_sentences),
        "with an emotion word": share(leakage.any_emotion_word),
        "naming their own label": share(leakage.gold_label),
    }
    guesses = {
        "accuracy, mean recall of the most frequent label": leakage.majority,
        "... of a guess from the description": leakage.guess,
        "... of one without its emotion words": leakage.guess_without_emotion_words,
    }
    for name, guess in guesses.items():
        if guess is not None:
            rows[name] = f"{percent(guess.accuracy)}, {percent(guess.unweighted_accuracy)}"
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _summarise(options: argparse.Namespace) -> None:
    summary = summarise([read_judgement(path) for path in options.verdicts])
    if options.json:
        _print_json(summary)
        return
    output = Results()
    for judged in summary["judges"]:
        output.print(_judge_table(judged))
    for agreement in summary["agreement"]:
        output.print(_agreement_table(agreement))


def _judge_table(judged: dict[str, Any]) -> Table:
    seen = judged["label_shown"]
    caption = f"the label was looked at before judging {seen} of them" if seen else None
    table = Table(title=escape(printable(judged["judge"])), title_justify="left", caption=caption)
    for name in ("part", *VERDICTS, "accurate of the decided", "95 % interval"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for part, said in judged["parts"].items():
        accurate = Proportion(said["accurate"]["count"], said["accurate"]["n"])
        counts = (str(count) for count in said["counts"].values())
        table.add_row(part.replace("_", " "), *counts, share(accurate), interval(accurate))
    return table


def _agreement_table(agreement: dict[str, Any]) -> Table:
    title = escape(printable(" and ".join(agreement["judges"])))
    table = Table(title=title, title_justify="left")
    for name in ("part", "judged by both", "Cohen's kappa"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for part, figures in agreement["parts"].items():
        kappa = figures["kappa"]
        shown = "undefined" if kappa is None else number(kappa, 2)
        table.add_row(part.replace("_", " "), str(figures["n"]), shown)
    return table


def _print_json(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
