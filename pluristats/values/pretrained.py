"""Models of the transformers library from a hub or folder: safetensors only, no code of theirs, nothing left random."""

from __future__ import annotations

from typing import Any

from pluristats.errors import ValuesError


def load_pretrained(
    kind: str, name: str, revision: str | None, device: str | None, unused: str = "nothing"
) -> tuple[Any, Any]:
    """Tokenizer and model, in 32 bits, ready to be asked.

    Parameters
    ----------
    kind
        The library's class, such as ``"AutoModel"``.
    name
        On the hub, or a folder.
    revision
        Branch, tag or commit on the hub.
    device
        As torch names it; by default a GPU where torch has one, else the CPU.
    unused
        How names of weights begin that may be lacking, since nobody asks for what they do.

    Raises
    ------
    ValuesError
        No transformers or torch, no such checkpoint or device, weights that are not safetensors or not complete.
    """
    try:
        import torch
        import transformers
    except ImportError:
        raise ValuesError(
            "open models are asked through transformers and torch; pip install 'pluristats[kaleido]'"
        ) from None
    options = {"revision": revision or "main", "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
        model, told = getattr(transformers, kind).from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValuesError(_why(kind, name, error)) from None
    # The library fills what a file lacks with random numbers and only logs it.
    lacking = [name for name in sorted(told["missing_keys"]) if not name.startswith(unused)]
    lacking += sorted(map(str, told["mismatched_keys"]))
    if lacking:
        raise ValuesError(f"checkpoint {name}: its weights lack {lacking[0]} (of {len(lacking)}); load a complete one")
    try:
        model = model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, AssertionError) as error:
        raise ValuesError(f"device {device!r}: {_first_line(error)}; name another, such as 'cpu'") from None
    return tokenizer, model.eval().requires_grad_(False)


def fits_utf8(text: str) -> str:
    r"""The text as a tokenizer can take it: half a surrogate pair becomes its escape, ``\ud800``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _why(kind: str, name: str, error: Exception) -> str:
    if "safetensors" in str(error):
        return (
            f"checkpoint {name} has no weights as safetensors, and other weights are pickles, which can run code and "
            "are not loaded; name a revision that has model.safetensors, or convert a copy that you trust once "
            f"(transformers.{kind}.from_pretrained('{name}').save_pretrained('FOLDER'), the same with AutoTokenizer) "
            "and load FOLDER"
        )
    return f"checkpoint {name} cannot be loaded: {_first_line(error)}; is its name right, and is it here or reachable?"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
