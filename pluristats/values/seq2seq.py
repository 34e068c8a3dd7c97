"""What a T5 is asked for: continuations by beam search, and probabilities of answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import ValuesError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Seq2Seq:
    """An encoder-decoder and its tokenizer.

    Inputs of different lengths are padded and masked, so what else is in a batch changes results by rounding only.

    Parameters
    ----------
    tokenizer, model
        Of transformers.
    longest
        Tokens that an input may have (`Shown` makes them fit), its end token among them.
    """

    tokenizer: Any
    model: Any
    longest: int

    def beams(self, inputs: Sequence[str], n: int, new_tokens: int) -> list[list[str]]:
        """The n best continuations of each input by a search with n beams, the best first; nothing is drawn."""
        found = self._generate(inputs, new_tokens, num_beams=n, num_return_sequences=n)
        return [found[i : i + n] for i in range(0, len(found), n)]

    def written(self, inputs: Sequence[str], new_tokens: int) -> list[str]:
        """The most likely next token after the other, for each input."""
        return self._generate(inputs, new_tokens, num_beams=1, num_return_sequences=1)

    def _generate(self, inputs: Sequence[str], new_tokens: int, **search: Any) -> list[str]:
        import torch

        with torch.inference_mode():
            tokens = self.model.generate(
                **self._batch(inputs), do_sample=False, max_length=None, max_new_tokens=new_tokens, **search
            )
        return [text.strip() for text in self.tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def probabilities(self, inputs: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """p_a = exp(z_a) / Σ_b exp(z_b) over the answers' first tokens, shape (len(inputs), len(answers)).

        z are the logits at the second of two decoder positions that are both fed token 0, as in the public code (in a
        T5 they are those at the first: it attends to two equal states). The softmax over the vocabulary cancels.
        """
        import torch

        tokens = torch.tensor(self.first_tokens(answers), device=self.model.device)
        with torch.inference_mode():
            decoder = torch.zeros((len(inputs), 2), dtype=torch.long, device=self.model.device)
            logits = self.model(**self._batch(inputs), decoder_input_ids=decoder).logits[:, -1, :]
            return np.asarray(torch.softmax(logits[:, tokens].double(), dim=-1).cpu().numpy())

    def first_tokens(self, answers: Sequence[str]) -> list[int]:
        """First token of each answer.

        Raises
        ------
        ValuesError
            Two answers begin alike, or one is unknown to the tokenizer.
        """
        tokens = [self.tokenizer(answer, add_special_tokens=False).input_ids[:1] for answer in answers]
        nothing: tuple[list[int], ...] = ([], [self.tokenizer.unk_token_id])
        unknown = [answer for answer, token in zip(answers, tokens, strict=True) if token in nothing]
        if unknown or len({t[0] for t in tokens}) < len(answers):
            what = f"does not know {unknown[0]!r}" if unknown else f"begins some of {', '.join(answers)} alike"
            raise ValuesError(f"the checkpoint's tokenizer {what}, so its answers cannot be told apart; load another")
        return [t[0] for t in tokens]

    def length(self, text: str) -> int:
        """Tokens of an input, its end token among them."""
        return len(self.tokenizer(text).input_ids)

    def token_ends(self, text: str) -> list[int]:
        """Where in a text its tokens end; of a text that is longer than an input, one token more than that has."""
        most = self.longest + 1
        found = self.tokenizer(
            text, add_special_tokens=False, truncation=True, max_length=most, return_offsets_mapping=True
        )
        return [end for _, end in found["offset_mapping"]]

    def fingerprint(self) -> str:
        """SHA-256 of the weights, the settings of model and search, and the tokenizer."""
        import torch

        digest = hashlib.sha256()
        for config in (self.model.config, self.model.generation_config):
            settings = config.to_diff_dict()
            told = {name: settings[name] for name in settings if name not in ("_name_or_path", "transformers_version")}
            digest.update(json.dumps(told, sort_keys=True, default=str).encode())
        digest.update(self.tokenizer.backend_tokenizer.to_str().encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _batch(self, inputs: Sequence[str]) -> dict[str, Any]:
        encoded = self.tokenizer(list(inputs), padding=True, return_tensors="pt").to(self.model.device)
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}


def batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most ``size``."""
    return (values[i : i + size] for i in range(0, len(values), size))


def flat(lists: Iterable[Iterable[T]]) -> list[T]:
    """All elements, one after the other."""
    return [value for values in lists for value in values]
