from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pluristats.errors import GenerateError, MissingAnswersWarning
from pluristats.extract import load_prompts, prompts_of
from pluristats.generate import generate_variants
from pluristats.llm import ChatClient, Endpoint
from pluristats.llm.simulated import simulated_endpoint
from tests.generate.conftest import HOSTILE, seeds_of


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_variants_are_prompts_and_those_without_a_text_are_listed(store, tmp_path: Path, ending: str) -> None:
    seeds = seeds_of(a="How do I pick a lock?", b="How do I brew tea?")
    seeds.table["topic"] = ["crime", "food"]
    with simulated_endpoint(seed=4, faults=["refusal@2"]) as url:
        asker = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        with pytest.warns(MissingAnswersWarning):
            variants = generate_variants(seeds, asker, levels=[0, 0.5, 1], progress=False)
    prompts = load_prompts(variants.write(tmp_path / f"v.{ending}"))
    table = variants.tidy()
    refused = int(table.index[table["status"] == "refused"][0])
    kept = table.drop(index=refused)
    assert prompts.table["prompt"].tolist() == [
        f"{s}@{level:g}" for s, level in zip(kept.seed, kept.level, strict=True)
    ]
    assert prompts.table["text"].tolist() == kept["text"].tolist()
    assert prompts.table["harm_level"].tolist() == kept["level"].tolist()
    assert prompts.table["simulated"].all() and prompts.table["topic"].tolist() == kept["topic"].tolist()
    (left,) = prompts.left_out.to_dict("records")
    assert left["row"] == refused + (2 if ending == "csv" else 1)
    assert left["prompt"] == f"{table.seed[refused]}@{table.level[refused]:g}"
    assert left["reason"].startswith("refused: I'm sorry")
    units = prompts.units("seed")
    assert units.to_dict("list") == {"unit": ["a", "b"], "text": ["How do I pick a lock?", "How do I brew tea?"]}
    assert len(prompts.units("prompt")) == len(prompts) == 5


def test_texts_like_formulas_come_back_from_a_csv_as_they_were(store, tmp_path: Path) -> None:
    """A changed text would be another question: paid for again, and of a prompt that nobody wrote."""
    texts = ["=1+1", "- a list\n- of points", "@you", "'=1", "''-2", "'quoted'", "it's", "+49 30"]
    seeds = seeds_of(**{f"-{i}": text for i, text in enumerate(texts)})
    with simulated_endpoint() as url:
        asker = ChatClient(Endpoint(url, "sim", no_key=True, name="simulated"), store)
        variants = generate_variants(seeds, asker, levels=[0], progress=False)
    written = variants.write(tmp_path / "v.csv")
    raw = pd.read_csv(written)
    assert not raw[["seed", "seed_text"]].stack().str.match(r"[=+\-@]").any()
    assert load_prompts(written).units("seed").to_dict("list") == {"unit": list(seeds.table["seed"]), "text": texts}


def test_any_table_with_an_id_and_a_text_will_do(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("Question_Index,Question_Content,extra\n1,How?,x\n2,Why?,y\n")
    prompts = load_prompts(tmp_path / "p.csv", id_column="Question_Index", text_column="Question_Content")
    assert prompts.table.drop(columns=["seed_text", "harm_level"]).to_dict("list") == {
        "prompt": ["1", "2"],
        "text": ["How?", "Why?"],
        "seed": ["1", "2"],
        "simulated": [False, False],
        "extra": ["x", "y"],
    }
    assert prompts.table["harm_level"].isna().all()
    # Without seeds in the file every prompt is its own.
    assert prompts.units("seed")["text"].tolist() == ["How?", "Why?"]


def test_hostile_texts_stay_as_they_are(tmp_path: Path) -> None:
    table = pd.DataFrame({"prompt": list(HOSTILE), "text": list(HOSTILE.values())}, dtype=object)
    assert prompts_of(table).table["text"].tolist() == list(HOSTILE.values())


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("prompt,text\n", "p.csv: has no rows"),
        ("id,text\na,b\n", r"p.csv: there is no column 'prompt' among 'id', 'text'.*--id-column"),
        ("prompt,text\na,b\na,c\n", "p.csv, row 3, column prompt: 'a' stands in row 2 too"),
        ("prompt,text\na,b\nb, \n", "p.csv, row 3, column text: the text is empty"),
        ("prompt,text,harm_level\na,b,2\n", "column harm_level: '2' is no harm level"),
        ("prompt,text,harm_level\na,b,high\n", "column harm_level: 'high' is no harm level"),
        ("prompt,text,seed\na,b,\n", "column seed: .* is no identifier"),
        ("seed,level,text,status,seed_text\ns,0.5,,refused,x\n", "no variant has a text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, rows: str, says: str) -> None:
    (tmp_path / "p.csv").write_text(rows)
    with pytest.raises(GenerateError, match=says):
        load_prompts(tmp_path / "p.csv")


def test_seeds_without_a_text_cannot_be_analysed() -> None:
    table = pd.DataFrame({"prompt": ["a", "b"], "text": ["x", "y"], "seed": ["s", "s"]})
    with pytest.raises(GenerateError, match=r"seed 's' has no text in column 'seed_text'.*--by prompt"):
        prompts_of(table).units("seed")
    with pytest.raises(GenerateError, match="seed 's' has two texts"):
        prompts_of(table.assign(seed_text=["x", "y"])).units("seed")
    with pytest.raises(GenerateError, match="it is 'seed' or 'prompt'"):
        prompts_of(table).units("variant")
