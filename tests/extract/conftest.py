from __future__ import annotations

import json
from typing import Any

import pandas as pd

from tests.cli.conftest import command
from tests.generate.conftest import client, key, store

__all__ = ["client", "command", "key", "store"]


def effect(label: str = "2. Physical health risks", **changes: Any) -> dict[str, Any]:
    return {"effect": label, "immediacy": True, "extent": "major", "likelihood": "high"} | changes


def tree(side: str, *actions: tuple[str, list[dict[str, Any]]], who: str = "users") -> str:
    return json.dumps([{"stakeholder": who, side: [{"action": a, "effects": effects} for a, effects in actions]}])


def item(vrd: str = "Value", text: str = "Privacy", **changes: Any) -> dict[str, Any]:
    return {"vrd": vrd, "text": text, "relevance": 0.9, "supports": 0.1, "opposes": 0.7, "either": 0.2} | changes


def units_of(**texts: str) -> pd.DataFrame:
    return pd.DataFrame({"unit": list(texts), "text": list(texts.values())}, dtype=object)
