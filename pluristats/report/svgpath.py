"""The data of an SVG path in fewer letters: the same points, written as steps from one to the next."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[A-Za-z]|-?[\d.]+(?:e-?\d+)?")
_NUMBERS = {"M": 2, "L": 2, "Q": 4, "C": 6}


def steps(data: str, decimals: int, scale: float = 1.0) -> str:
    """Path data whose points are rounded and then told relative to the point before.

    Points are whole multiples of 10^-decimals before their differences are taken, so no error adds up along a path.

    Parameters
    ----------
    data
        With the absolute commands M, L, Q, C and Z, which are all that matplotlib writes.
    decimals
        Of every coordinate.
    scale
        Coordinates are multiplied by it first.

    Raises
    ------
    ValueError
        Another command.
    """
    unit = scale * 10**decimals
    tokens = _TOKEN.findall(data)
    written: list[str] = []
    at = start = [0, 0]
    command, i = "", 0
    while i < len(tokens):
        if tokens[i].isalpha():
            command, i = tokens[i], i + 1
        if command in ("Z", "z"):
            written.append("z")
            at = start
            continue
        if command not in _NUMBERS:
            raise ValueError(f"A path with the command {command!r}; known are M, L, Q, C and Z.")
        points = [round(float(token) * unit) for token in tokens[i : i + _NUMBERS[command]]]
        i += _NUMBERS[command]
        moves = [value - at[k % 2] for k, value in enumerate(points)]
        at = points[-2:]
        if command == "M":
            start = at
        written.append(_command(command, moves, decimals))
    return "".join(written)


def _command(command: str, moves: list[int], decimals: int) -> str:
    letter = command.lower()
    if command == "L" and 0 in moves:  # one number says a level or upright line
        letter, moves = ("h", moves[:1]) if moves[1] == 0 else ("v", moves[1:])
    return letter + " ".join(_number(move, decimals) for move in moves).replace(" -", "-")


def _number(units: int, decimals: int) -> str:
    sign, digits = "-" if units < 0 else "", f"{abs(units):0{decimals + 1}d}"
    whole, part = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    return sign + (f"{whole.lstrip('0')}.{part}" if part else whole)
