"""KALEIDO: values, rights and duties of prompts, their relevance and valence, by the published T5 checkpoints.

For every prompt a beam search names n items; for every item the model is asked how relevant it is (Yes or No) and how
it stands to the prompt (Supports, Opposes or Either). Templates and thresholds are the checkpoint's own. Source: Value
Kaleidoscope (Sorensen et al., AAAI 2024); PluriHarms used ``allenai/kaleido-base`` with n = 20.

Two things differ from the public code. Padding is masked, so that a batch's other members do not matter. And where the
prompt, the item and the template are together longer than the model's input, the prompt is cut and the item stays: with
the end of the input cut off, all items of a long prompt are judged by the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pluristats.errors import ValuesError
from pluristats.progress import counted
from pluristats.values.candidates import Candidates, collected, text_key, warn
from pluristats.values.checkpoint import Template, read_templates, read_thresholds
from pluristats.values.items import is_id, is_text, parse_item, show
from pluristats.values.journal import Journal
from pluristats.values.pretrained import load_pretrained
from pluristats.values.seq2seq import Seq2Seq, batches, flat
from pluristats.values.shown import Shown
from pluristats.values.thresholds import Thresholds

RELEVANCE = ("Yes", "No")
ANSWERS = ("Supports", "Opposes", "Either")
"""Answers that the checkpoints were trained to give."""
LONGEST, ITEM_TOKENS, EXPLANATION_TOKENS = 128, 30, 127
"""Tokens of an input, of an item, and of an explanation (whose 128 count the token that starts it)."""

Prompts = Mapping[Any, str] | Iterable[tuple[Any, str]]


@dataclass(frozen=True, eq=False)
class Kaleido:
    """A checkpoint, ready to be asked; make one with `load`.

    Parameters
    ----------
    name, revision
        Of the checkpoint.
    templates
        By task: generate, relevance, valence, explanation.
    thresholds
        For `filter_items`.
    network
        Model and tokenizer.
    fingerprint
        SHA-256 of weights, config and tokenizer.
    prompts_at_once, items_at_once
        Sizes of batches; they change results by rounding only.
    """

    name: str
    revision: str | None
    templates: Mapping[str, Template]
    thresholds: Thresholds
    network: Seq2Seq
    fingerprint: str
    prompts_at_once: int = 4
    items_at_once: int = 64

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        device: str | None = None,
        prompts_at_once: int = 4,
        items_at_once: int = 64,
    ) -> Kaleido:
        """From a hub or folder.

        Parameters
        ----------
        name
            Such as ``"allenai/kaleido-base"`` (its licence must be accepted on the hub once), or a folder.
        revision
            Branch, tag or commit on the hub; name a commit for numbers that others can repeat.
        device
            As torch names it; by default a GPU where torch has one, else the CPU.
        prompts_at_once, items_at_once
            How many prompts are searched, and items asked about, in a batch. A search holds n beams a prompt.

        Raises
        ------
        ValuesError
            The checkpoint cannot be loaded, has no safetensors, or its config lacks a template or threshold.
        """
        for what, size in (("prompts_at_once", prompts_at_once), ("items_at_once", items_at_once)):
            _check_count(what, size)
        name = str(name)
        tokenizer, model = load_pretrained("AutoModelForSeq2SeqLM", name, revision, device)
        templates, thresholds = read_templates(model.config, name), read_thresholds(model.config, name)
        network = Seq2Seq(tokenizer, model, LONGEST)
        for answers in (RELEVANCE, ANSWERS):
            network.first_tokens(answers)
        sizes = (prompts_at_once, items_at_once)
        return cls(name, revision, templates, thresholds, network, network.fingerprint(), *sizes)

    def items(
        self,
        prompts: Prompts,
        *,
        n: int = 20,
        explain: bool = False,
        journal: str | Path | None = None,
        simulated: bool = False,
        progress: bool = True,
    ) -> Candidates:
        """Ask for the items of every prompt.

        Parameters
        ----------
        prompts
            Texts by id, or pairs of id and text. Prompts of the same text are asked once. Half a surrogate pair is
            seen by the model as its escape.
        n
            Items to name for each, which is also the number of beams.
        explain
            Have each item explained too, in the column ``explanation``; takes many times as long.
        journal
            File in which finished prompts are kept as they come. The same call goes on where a killed one was, with
            the same numbers; prompts that it does not have yet are added.
        simulated
            What to say in the column ``simulated``: whether the prompts were made up.
        progress
            Show how far it is.

        Raises
        ------
        ValuesError
            Prompts or the journal do not fit.
        """
        _check_count("n", n)
        texts = _checked(prompts)
        distinct = list(dict.fromkeys(texts.values()))
        made_by = {
            "weights": self.fingerprint, "n": n, "explain": explain,
            "tokens": [self.network.longest, ITEM_TOKENS, EXPLANATION_TOKENS],
        }  # fmt: skip
        note = {"checkpoint": self.name, "revision": self.revision}
        with (
            Journal(journal, made_by, note) as done,
            counted("values of prompts", len(distinct), show=progress) as advance,
        ):
            # Batches depend on the texts alone, so that a resumed run has the same ones, down to the rounding.
            for batch in batches(distinct, self.prompts_at_once):
                if all(text_key(text) in done for text in batch):
                    advance(0, fewer=len(batch))
                    continue
                done.add(zip(map(text_key, batch), self._asked(list(batch), n, explain), strict=True))
                advance(len(batch))
            found = collected(texts, done, explain, simulated)
        warn(found)
        return found

    def _asked(self, texts: list[str], n: int, explain: bool) -> list[dict[str, Any]]:
        """What becomes of a batch of prompts: entries of the journal."""
        shown = [Shown(self.network, text) for text in texts]
        outputs = self.network.beams([s.fill(self.templates["generate"]) for s in shown], n, ITEM_TOKENS)
        parsed = [[parse_item(output) for output in of_prompt] for of_prompt in outputs]
        named = [list(dict.fromkeys(item for item in of_prompt if item)) for of_prompt in parsed]
        items = [(s, *item) for s, of_prompt in zip(shown, named, strict=True) for item in of_prompt]
        rows = iter(self._judged(items, explain))
        return [
            {
                "items": list(islice(rows, len(items))),
                "repeated": sum(item is not None for item in of_prompt) - len(items),
                "unparsed": [text for text, item in zip(texts_out, of_prompt, strict=True) if item is None],
                "truncated": s.cut,
            }
            for s, items, of_prompt, texts_out in zip(shown, named, parsed, outputs, strict=True)
        ]

    def _judged(self, items: list[tuple[Shown, str, str]], explain: bool) -> list[list[Any]]:
        """Rows of the table of items, from ``vrd`` on."""

        def inputs(task: str) -> Iterator[Sequence[str]]:
            filled = [shown.fill(self.templates[task], vrd, text) for shown, vrd, text in items]
            return batches(filled, self.items_at_once)

        relevance = flat(self.network.probabilities(part, RELEVANCE)[:, 0].tolist() for part in inputs("relevance"))
        valence = flat(self.network.probabilities(part, ANSWERS).tolist() for part in inputs("valence"))
        rows = [[vrd, text, r, *v] for (_, vrd, text), r, v in zip(items, relevance, valence, strict=True)]
        if explain:
            told = flat(self.network.written(part, EXPLANATION_TOKENS) for part in inputs("explanation"))
            rows = [[*row, explanation] for row, explanation in zip(rows, told, strict=True)]
        return rows


def _checked(prompts: Prompts) -> dict[Any, str]:
    """Texts by id."""
    texts: dict[Any, str] = {}
    for prompt, text in prompts.items() if isinstance(prompts, Mapping) else prompts:
        if not is_id(prompt):
            raise ValuesError(f"prompts: {show(prompt)} is no id of a prompt; ids are text or whole numbers")
        if prompt in texts:
            raise ValuesError(f"prompts: two have the id {show(prompt)}; make ids unique")
        if not is_text(text):
            raise ValuesError(f"prompt {show(prompt)}: {show(text)} is no text; leave out prompts without one")
        texts[prompt] = text
    return texts


def _check_count(what: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValuesError(f"{what} is a whole number from 1 on, not {show(value)}")
