"""KALEIDO on a tiny T5: numbers against a plain forward pass, one item at a time, and against what it was taught."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pluristats.errors import ValueItemsWarning, ValuesError
from pluristats.values import Kaleido, filter_items, overall_valence
from pluristats.values.kaleido import ANSWERS, RELEVANCE
from tests.values.conftest import need
from tests.values.tables import HOSTILE
from tests.values.tiny import ITEMS, MANNERS, SYSTEM, prompt, save_tiny, vocabulary

pytestmark = [
    pytest.mark.usefixtures("torch"),
    pytest.mark.filterwarnings("ignore::pluristats.errors.ValueItemsWarning"),
]
NUMBER = {word: i for i, word in enumerate(vocabulary())}
SETTINGS: dict[str, Any] = {"progress": False}
PROMPTS = {
    "lock": "lock kindly my own door",
    "truth": "I want secretly truth",
    "friend": "perhaps the friend of no use and a VRD while ITEM to open my house ACTION",
    7: "words that nobody taught it",
}


def by_hand(checkpoint: Path, task: str, action: str, vrd: str, item: str) -> np.ndarray:
    """Probabilities of answers: ids by looking words up, labels (0, 0), the whole vocabulary's softmax, in 64 bits."""
    import torch

    model = in_64_bits(checkpoint)
    words = RELEVANCE if task == "Relevance" else ANSWERS
    with torch.no_grad():
        encoded = model.encoder(input_ids=torch.tensor([ids_of(f"[{task}]: Action: {action} {vrd}: {item}")]))
        logits = model(encoder_outputs=encoded, labels=torch.tensor([[0, 0]])).logits[0, -1]
    p = torch.softmax(logits, dim=0).numpy()[[NUMBER[word] for word in words]]
    return p / p.sum()


@cache
def in_64_bits(checkpoint: Path) -> Any:
    import torch
    from transformers import T5ForConditionalGeneration

    return T5ForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float64).eval()


def ids_of(text: str) -> list[int]:
    return [*(NUMBER.get(word, NUMBER["<unk>"]) for word in text.split()), NUMBER["</s>"]]


@pytest.mark.parametrize("which", ["random_checkpoint", "taught_checkpoint"])
def test_relevance_and_valence_are_those_of_one_item_alone(which: str, request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue(which)
    kaleido = Kaleido.load(checkpoint, device="cpu")
    pairs = [("lock", "Value", "Safety"), ("friend", "Duty", "Duty to tell truth"), (7, "Right", "ACTION VRD")]
    for task, answers in (("Relevance", RELEVANCE), ("Valence", ANSWERS)):
        filled = [kaleido.templates[task.lower()].fill(PROMPTS[p], vrd, text) for p, vrd, text in pairs]
        found = kaleido.network.probabilities(filled, answers)
        expected = [by_hand(checkpoint, task, PROMPTS[p], vrd, text) for p, vrd, text in pairs]
        assert found == pytest.approx(np.array(expected), abs=1e-5)
        assert np.ptp(found[:, 0]) > 1e-4  # they tell items apart


def test_the_table_holds_these_numbers(taught: Kaleido, taught_checkpoint: Path) -> None:
    table = taught.items(PROMPTS, n=5, **SETTINGS).items
    assert len(table) > 12
    for row in table.sample(6, random_state=0).itertuples():
        relevance, valence = (
            by_hand(taught_checkpoint, task, PROMPTS[row.prompt], row.vrd, row.text)
            for task in ("Relevance", "Valence")
        )
        assert row.relevance == pytest.approx(relevance[0], abs=1e-5)
        assert [row.supports, row.opposes, row.either] == pytest.approx(valence, abs=1e-5)


def test_batches_do_not_matter(taught_checkpoint: Path) -> None:
    draw = random.Random(3)
    prompts = [(i, prompt(draw.choice(list(ITEMS)), draw.choice(list(MANNERS)), draw)) for i in range(9)]
    one, many = (
        Kaleido.load(taught_checkpoint, device="cpu", prompts_at_once=a, items_at_once=b).items(
            prompts, n=6, **SETTINGS
        )
        for a, b in ((1, 1), (9, 50))
    )
    texts = ["prompt", "vrd", "text", "simulated"]
    pd.testing.assert_frame_equal(one.items[texts], many.items[texts])
    pd.testing.assert_frame_equal(one.items, many.items, rtol=0, atol=1e-5)
    pd.testing.assert_frame_equal(one.unparsed, many.unparsed)


def test_it_says_what_it_was_taught(taught: Kaleido) -> None:
    draw = random.Random(11)
    told = [(s, m, prompt(s, m, draw)) for s in ITEMS for m in MANNERS]
    found = taught.items({i: text for i, (_, _, text) in enumerate(told)}, n=8, **SETTINGS)
    for i, (subject, manner, _) in enumerate(told):
        own = found.items[found.items["prompt"] == i].set_index(["vrd", "text"])
        named = {tuple(item.split(": ")) for item in ITEMS[subject]}
        assert named <= set(own.index)
        assert own.loc[sorted(named), "relevance"].min() > 0.5
        valence = overall_valence(own.reset_index()).loc[0, ["supports", "opposes", "either"]]
        assert valence.astype(float).idxmax().capitalize() == MANNERS[manner]
    kept = filter_items(found.items, taught.thresholds, lambda texts: np.eye(len(texts)))
    assert 0 < len(kept.items) < len(found.items)


def test_beams_are_distinct_sequences_best_first(taught: Kaleido) -> None:
    import torch

    asked = taught.templates["generate"].fill(PROMPTS["lock"])
    n, network = 6, taught.network
    (beams,) = network.beams([asked], n, 30)
    assert len(set(beams)) == n
    scores = []
    for beam in beams:
        ids = ids_of(beam)[:30]
        with torch.no_grad():
            logits = network.model(input_ids=torch.tensor([ids_of(asked)]), labels=torch.tensor([ids])).logits[0]
        steps = torch.log_softmax(logits, dim=-1)[range(len(ids)), ids]
        scores.append(float(steps.sum()) / len(ids))  # the library divides by the length
    assert scores == sorted(scores, reverse=True)


def test_every_output_is_somewhere(taught: Kaleido) -> None:
    with pytest.warns(ValueItemsWarning, match=r"of 4 prompts and \d+ items: \d+ outputs are no items"):
        found = taught.items(PROMPTS, n=20, **SETTINGS)
    counts = found.counts()
    assert counts["items"] + counts["repeated"] + counts["unparsed"] == 4 * 20
    assert counts["unparsed"] == len(found.unparsed) > 0
    assert (found.prompts["items"] + found.prompts["repeated"] + found.prompts["unparsed"]).tolist() == [20] * 4
    assert found.prompts["prompt"].tolist() == list(PROMPTS)
    assert not found.items.duplicated(["prompt", "vrd", "text"]).any()


class Scripted:
    """A network whose outputs are given, to see what becomes of them."""

    longest = 128

    def __init__(self, outputs: list[str]):
        self.outputs = outputs

    def beams(self, inputs: list[str], n: int, new_tokens: int) -> list[list[str]]:
        return [self.outputs] * len(inputs)

    def probabilities(self, inputs: list[str], answers: tuple[str, ...]) -> np.ndarray:
        return np.full((len(inputs), len(answers)), 1 / len(answers))

    def written(self, inputs: list[str], new_tokens: int) -> list[str]:
        return [f"because {text}" for text in inputs]

    def length(self, text: str) -> int:
        return len(text.split())

    def token_ends(self, text: str) -> list[int]:
        return [i for i in range(1, len(text) + 1) if not text[i - 1].isspace() and text[i : i + 1].strip() == ""]


def test_outputs_of_any_form(taught: Kaleido) -> None:
    from dataclasses import replace

    outputs = ["Value: a: b", "Right: Right to x", "Value: a: b", "nothing", "Duty:", "", "Virtue: y"]
    scripted = replace(taught, network=Scripted(outputs))  # type: ignore[arg-type]
    found = scripted.items([("q", "p"), ("r", "p")], n=7, explain=True, simulated=True, **SETTINGS)
    assert found.items[["prompt", "vrd", "text"]].values.tolist() == [
        [q, *item] for q in "qr" for item in (["Value", "a: b"], ["Right", "Right to x"])
    ]
    assert found.items.loc[0, "explanation"] == "because [Explanation]:\tAction: p\tValue: a: b"
    assert found.unparsed["output"].tolist() == ["nothing", "Duty:", "", "Virtue: y"] * 2
    assert found.counts() == {"prompts": 2, "items": 4, "repeated": 2, "unparsed": 8, "truncated": 0}
    assert found.items["simulated"].all()
    assert repr(found) == "<Candidates: 4 items of 2 prompts, SIMULATED>"
    none = replace(taught, network=Scripted(["x"])).items({"q": "p"}, n=1, **SETTINGS)  # type: ignore[arg-type]
    assert (len(none.items), none.prompts["items"].tolist()) == (0, [0])


def test_explanations_are_greedy_and_as_long_as_they_may_be(taught: Kaleido) -> None:
    import torch

    found = taught.items({"q": PROMPTS["lock"]}, n=2, explain=True, **SETTINGS)
    row = found.items.iloc[0]
    asked = taught.templates["explanation"].fill(PROMPTS["lock"], row.vrd, row.text)
    source = torch.tensor([ids_of(asked)])
    written = [0]
    with torch.no_grad():
        while len(written) < 128 and written[-1] != 1:
            logits = taught.network.model(input_ids=source, decoder_input_ids=torch.tensor([written])).logits
            written.append(int(logits[0, -1].argmax()))
    words = [vocabulary()[i] for i in written if i > 2]
    assert row.explanation == " ".join(words)


def test_long_prompts_are_cut_and_items_are_not(taught: Kaleido, taught_checkpoint: Path) -> None:
    words = 200_000
    prompts = {"long": "lock kindly " + "my own door " * words, "short": PROMPTS["lock"]}
    with pytest.warns(ValueItemsWarning, match="1 prompts are longer than the model's input"):
        found = taught.items(prompts, n=4, **SETTINGS)
    assert found.prompts["truncated"].tolist() == [True, False]
    row = found.items.iloc[0]
    # 128 tokens: the mark, "Action:", the end; the kind and the item's words; the rest is the prompt's.
    room = 128 - 3 - 1 - len(row.text.split())
    seen = " ".join(prompts["long"].split()[:room])
    expected = by_hand(taught_checkpoint, "Relevance", seen, row.vrd, row.text)
    assert row.relevance == pytest.approx(expected[0], abs=1e-5)


def test_hostile_prompts_pass(taught: Kaleido) -> None:
    prompts = {text: text for text in HOSTILE.values()}
    found = taught.items(prompts, n=2, **SETTINGS)
    assert found.prompts["prompt"].tolist() == list(prompts)


def test_a_stopped_run_goes_on_with_the_same_numbers(
    taught: Kaleido, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(5)
    prompts = {i: prompt(draw.choice(list(ITEMS)), draw.choice(list(MANNERS)), draw) for i in range(14)}
    prompts[99] = prompts[3]
    whole = taught.items(prompts, n=4, **SETTINGS)
    path, beams = tmp_path / "values.jsonl", type(taught.network).beams
    asked = 0

    def failing(self: Any, inputs: Any, n: int, new_tokens: int) -> Any:
        nonlocal asked
        if asked >= 8:
            raise KeyboardInterrupt
        asked += len(inputs)
        return beams(self, inputs, n, new_tokens)

    with monkeypatch.context() as patch:
        patch.setattr(type(taught.network), "beams", failing)
        with pytest.raises(KeyboardInterrupt):
            taught.items(prompts, n=4, journal=path, **SETTINGS)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 8
    path.write_bytes(b"".join(lines[:6]) + lines[6][:20])  # as a kill in the middle of a batch's lines leaves it

    asked = -1_000
    monkeypatch.setattr(type(taught.network), "beams", failing)
    resumed = taught.items(prompts, n=4, journal=path, **SETTINGS)
    assert asked + 1_000 == 14 - 4  # all but the first batch of four, the torn one whole
    pd.testing.assert_frame_equal(resumed.items, whole.items, check_exact=True)
    pd.testing.assert_frame_equal(resumed.prompts, whole.prompts)
    assert len(path.read_bytes().splitlines()) == 1 + 14
    taught.items(prompts, n=4, journal=path, **SETTINGS)
    assert asked + 1_000 == 10
    with pytest.raises(ValuesError, match="n was 4 and is 5 now"):
        taught.items(prompts, n=5, journal=path, **SETTINGS)
    assert json.loads(lines[0])["note"] == {"checkpoint": taught.name, "revision": None}


def test_another_models_journal_is_refused(taught: Kaleido, random_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "values.jsonl"
    taught.items({"q": "lock"}, n=1, journal=path, **SETTINGS)
    with pytest.raises(ValuesError, match="was made otherwise: weights was"):
        Kaleido.load(random_checkpoint, device="cpu").items({"q": "lock"}, n=1, journal=path, **SETTINGS)


def test_a_moved_checkpoint_is_the_same_and_changed_weights_are_not(taught_checkpoint: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    moved = tmp_path / "moved"
    shutil.copytree(taught_checkpoint, moved)
    first = Kaleido.load(taught_checkpoint, device="cpu").fingerprint
    assert Kaleido.load(moved, device="cpu").fingerprint == first
    weights = load_file(moved / "model.safetensors")
    name = min(weights)
    weights[name] = weights[name] * 1.0001
    save_file(weights, moved / "model.safetensors", {"format": "pt"})
    assert Kaleido.load(moved, device="cpu").fingerprint != first


@pytest.mark.parametrize(
    ("prompts", "settings", "message"),
    [
        ([("q", "a"), ("q", "b")], {}, "two have the id 'q'"),
        ([(1.5, "a")], {}, "1.5 is no id of a prompt"),
        ({"q": "  "}, {}, "prompt 'q': '  ' is no text"),
        ({"q": None}, {}, "prompt 'q': None is no text"),
        ({"q": "a"}, {"n": 0}, "n is a whole number from 1 on, not 0"),
        ({"q": "a"}, {"n": True}, "n is a whole number from 1 on, not True"),
    ],
)
def test_prompts_that_cannot_be_asked(taught: Kaleido, prompts: Any, settings: Any, message: str) -> None:
    with pytest.raises(ValuesError, match=message):
        taught.items(prompts, **settings, **SETTINGS)


def test_no_prompts_are_no_items(taught: Kaleido) -> None:
    found = taught.items({}, **SETTINGS)
    assert (len(found.items), len(found.prompts), len(found.unparsed)) == (0, 0, 0)


def test_checkpoints_that_cannot_be_loaded(taught_checkpoint: Path, tmp_path: Path) -> None:
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    with pytest.raises(ValuesError, match=r"checkpoint .*none cannot be loaded: .*is it here or reachable"):
        Kaleido.load(tmp_path / "none", device="cpu")
    with pytest.raises(ValuesError, match="name another, such as 'cpu'"):
        Kaleido.load(taught_checkpoint, device="nothing")
    with pytest.raises(ValuesError, match="items_at_once is a whole number from 1 on, not 0"):
        Kaleido.load(taught_checkpoint, items_at_once=0)

    pickled = tmp_path / "pickled"
    shutil.copytree(taught_checkpoint, pickled)
    weights = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(weights, pickled / "pytorch_model.bin")
    with pytest.raises(ValuesError, match="has no weights as safetensors, and other weights are pickles"):
        Kaleido.load(pickled, device="cpu")

    del weights["encoder.block.0.layer.0.SelfAttention.q.weight"]
    save_file(weights, pickled / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValuesError, match=r"its weights lack encoder.block.0.layer.0.SelfAttention.q.weight \(of 1\)"):
        Kaleido.load(pickled, device="cpu")


def test_a_checkpoint_without_its_config_is_refused(tmp_path: Path) -> None:
    plain = save_tiny(tmp_path / "plain", tasks=None, system=SYSTEM)
    with pytest.raises(ValuesError, match=r"its config has no task_specific_params\['generate'\]"):
        Kaleido.load(plain, device="cpu")
    deaf = save_tiny(tmp_path / "deaf", system={})
    with pytest.raises(ValuesError, match=r"its config has no system_params\['relevance_threshold'\]"):
        Kaleido.load(deaf, device="cpu")


def test_tokenizers_that_are_sentencepiece_files_only(tmp_path: Path) -> None:
    need("sentencepiece", "google.protobuf")
    import sentencepiece

    folder = save_tiny(tmp_path / "older")
    (folder / "tokenizer.json").unlink()
    answers = [f"▁{word}" for word in (*RELEVANCE, *ANSWERS)]
    with open(folder / "spiece.model", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([" ".join(vocabulary()[13:])] * 50), model_writer=file, vocab_size=55, pad_id=0,
            eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, user_defined_symbols=answers, minloglevel=2,
        )  # fmt: skip
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer", "extra_ids": 0}')
    kaleido = Kaleido.load(folder, device="cpu")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    text = "Value: Honesty Yes lock"
    assert kaleido.network.tokenizer(text).input_ids == [*pieces.encode(text), 1]
    assert kaleido.network.first_tokens(RELEVANCE) == [pieces.piece_to_id("▁Yes"), pieces.piece_to_id("▁No")]
    assert kaleido.items({"q": "lock the door " * 100}, n=2, **SETTINGS).counts()["truncated"] == 1


def test_answers_must_be_told_apart(taught: Kaleido) -> None:
    with pytest.raises(ValuesError, match="begins some of Yes, Yes No alike"):
        taught.network.first_tokens(("Yes", "Yes No"))
    with pytest.raises(ValuesError, match="does not know 'Maybe'"):
        taught.network.first_tokens(("Yes", "Maybe"))
