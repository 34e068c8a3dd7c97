"""A T5 of a few thousand weights whose config has the form of the published KALEIDO checkpoints'.

Random, or taught in seconds what `Lesson` says: which items belong to a subject, and how they stand to a manner.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

LABELS = ("Yes", "No", "Supports", "Opposes", "Either")
ITEMS = {
    "lock": ["Value: Safety", "Right: Right to Privacy", "Duty: Duty to help"],
    "truth": ["Value: Honesty", "Right: Right to be told", "Duty: Duty to tell truth"],
    "friend": ["Value: Care", "Right: Right to Freedom", "Value: Health"],
}
"""What belongs to a prompt with this word."""
MANNERS = {"kindly": "Supports", "secretly": "Opposes", "perhaps": "Either"}
"""How everything stands to a prompt with this word."""
_USELESS = "I want to open my own house and the door while a VRD ACTION ITEM of no use"
FILLERS = _USELESS.split()
TASKS: dict[str, Any] = {
    "generate": {"template": "[Generate]:\tAction: ACTION", "args": ["ACTION"]},
    **{
        task: {"template": f"[{task.title()}]:\tAction: ACTION\tVRD: ITEM", "args": ["ACTION", "VRD", "ITEM"]}
        for task in ("relevance", "valence", "explanation")
    },
}
SYSTEM: dict[str, Any] = {
    "relevance_threshold": {"Value": 0.3, "Right": 0.4, "Duty": 0.35},
    "ngram_threshold": {"f1": 0.6, "precision": 0.8, "recall": 0.8},
    "embed_threshold": {"Value": 0.7, "Right": 0.6, "Duty": 0.65},
    "dedup_across_vrd": False,
}


def all_items() -> list[str]:
    return [item for items in ITEMS.values() for item in items]


def vocabulary() -> list[str]:
    marks = ["[Generate]:", "[Relevance]:", "[Valence]:", "[Explanation]:", "Action:"]
    words = [word for text in [*all_items(), *ITEMS, *MANNERS, *FILLERS] for word in text.split()]
    return list(dict.fromkeys(["<pad>", "</s>", "<unk>", *LABELS, *marks, *words]))


def save_tiny(folder: Path, *, taught: bool = False, tasks: Any = TASKS, system: Any = SYSTEM) -> Path:
    """Make one in a folder. Words are tokens; what it does not know is <unk>."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    words = vocabulary()
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
    config = T5Config(
        vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, decoder_start_token_id=0,
        dropout_rate=0.0, task_specific_params=tasks, system_params=system,
    )  # fmt: skip
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(config)
    if taught:
        teach(model, fast)
    model.eval().save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def prompt(subject: str, manner: str, draw: random.Random) -> str:
    words = [subject, manner, *draw.sample(FILLERS, draw.randint(1, 6))]
    draw.shuffle(words)
    return " ".join(words)


def teach(model: Any, tokenizer: Any, steps: int = 120, batch: int = 24) -> None:
    """Some seconds of training."""
    import torch

    draw = random.Random(0)
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        subjects, manners = draw.choices(list(ITEMS), k=batch), draw.choices(list(MANNERS), k=batch)
        prompts = [prompt(s, m, draw) for s, m in zip(subjects, manners, strict=True)]
        items = [draw.choice(ITEMS[s] if draw.random() < 0.5 else all_items()) for s in subjects]
        fit = [("Yes" if item in ITEMS[s] else "No") for s, item in zip(subjects, items, strict=True)]
        asked = [f"Action: {p}\t{item}" for p, item in zip(prompts, items, strict=True)]
        asked = [f"[{task}]:\t{text}" for task in ("Relevance", "Valence") for text in asked]
        answers = torch.tensor([tokenizer.vocab[word] for word in [*fit, *(MANNERS[m] for m in manners)]])
        named = tokenizer([draw.choice(ITEMS[s]) for s in subjects], padding=True, return_tensors="pt").input_ids
        inputs = encoded(tokenizer, [f"[Generate]:\tAction: {p}" for p in prompts])
        loss = model(**inputs, labels=named.masked_fill(named == 0, -100)).loss
        twice = torch.zeros((2 * batch, 2), dtype=torch.long)
        logits = model(**encoded(tokenizer, asked), decoder_input_ids=twice).logits[:, -1]
        loss = loss + torch.nn.functional.cross_entropy(logits, answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def encoded(tokenizer: Any, texts: list[str]) -> dict[str, Any]:
    found = tokenizer(texts, padding=True, return_tensors="pt")
    return {"input_ids": found.input_ids, "attention_mask": found.attention_mask}
