"""A prompt as a model is shown it: whole where it fits, else without its end."""

from __future__ import annotations

from pluristats.errors import ValuesError
from pluristats.values.checkpoint import Template
from pluristats.values.pretrained import fits_utf8
from pluristats.values.seq2seq import Seq2Seq


class Shown:
    """A prompt that is filled into templates.

    What is too long for an input is cut in the prompt, at the end of one of its tokens, never in what follows it.

    Parameters
    ----------
    network
        Tells how many tokens a text has, and how many fit.
    text
        The prompt.

    Attributes
    ----------
    cut
        Whether the prompt had to be cut so far.
    """

    def __init__(self, network: Seq2Seq, text: str):
        self._network = network
        self._text = fits_utf8(text)
        self._ends = network.token_ends(self._text)
        self.cut = False

    def fill(self, template: Template, *rest: str) -> str:
        """The template with as much of the prompt as fits, and with the rest whole.

        Raises
        ------
        ValuesError
            Nothing of the prompt fits.
        """
        kept, longest = len(self._ends), self._network.longest
        # Millions of characters are not counted again and again: beyond this many tokens it is cut anyway.
        shown = self._text if kept <= longest else self._text[: self._ends[-1]]
        while (excess := self._network.length(filled := template.fill(shown, *rest)) - longest) > 0:
            self.cut = True
            kept -= excess
            if kept <= 0:
                raise ValuesError(f"template {template.text!r} leaves no room for the prompt in {longest} tokens")
            shown = self._text[: self._ends[kept - 1]]
        return filled
