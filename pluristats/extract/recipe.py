"""What to take of prompts, as one record: trees, values or both, how they are asked for, and of which texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pluristats.errors import GenerateError
from pluristats.extract.prompts import Prompts
from pluristats.extract.tree_plan import TreePlan
from pluristats.extract.trees import ExtractedTrees, collect_trees, extract_trees
from pluristats.extract.values import ExtractedValues, ValuePlan, collect_values, extract_values
from pluristats.features.trees import SIDES
from pluristats.llm import Asker, ChatClient, Estimate, Run
from pluristats.texts.templates import Template

Kind = Literal["harms", "benefits", "values"]
KINDS: tuple[Kind, ...] = (*SIDES, "values")


@dataclass(frozen=True)
class Recipe:
    """Which questions are asked about prompts, and how.

    Parameters
    ----------
    kinds
        ``harms``, ``benefits`` (of trees), ``values``: one kind of question each. None where no chat model is asked,
        as when KALEIDO names the values of prompts and no trees are wanted.
    by
        Trees of every ``"seed"``, shared by its variants, as in the PluriHarms release, or of every ``"prompt"``.
        Values are always those of the prompt.
    samples
        Trees a text.
    templates
        By kind; those of ``generation/`` by default.
    repairs
        How often a malformed answer is asked for again.
    temperature, top_p, max_tokens, random_seed, extra
        As in `ChatRequest`.

    Raises
    ------
    GenerateError
        There is an unknown kind.
    """

    kinds: tuple[Kind, ...] = KINDS
    by: Literal["seed", "prompt"] = "seed"
    samples: int = 1
    templates: Mapping[Kind, Template] = field(default_factory=dict)
    repairs: int = 2
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = 8000
    random_seed: int | None = 0
    extra: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if set(self.kinds) - set(KINDS):
            raise GenerateError(f"kinds are some of {', '.join(KINDS)}, not {', '.join(self.kinds)}")

    @property
    def sampling(self) -> dict[str, Any]:
        """Settings that every request has."""
        names = ("temperature", "top_p", "max_tokens", "random_seed", "extra")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class Taken:
    """What was taken, as far as the recipe asks for it."""

    trees: ExtractedTrees | None
    values: ExtractedValues | None

    def runs(self) -> list[Run]:
        """The clients' runs."""
        trees = [] if self.trees is None else list(self.trees.runs.values())
        return trees + ([] if self.values is None else [self.values.run])

    @property
    def simulated(self) -> bool:
        """Whether any answer came from a simulated endpoint."""
        return any(part is not None and part.simulated for part in (self.trees, self.values))


def take(prompts: Prompts, recipe: Recipe, askers: Mapping[Kind, Asker], *, progress: bool = True) -> Taken:
    """Ask what the stores do not hold yet; everything that was answered is kept.

    Parameters
    ----------
    prompts
        What to analyse.
    recipe
        What to ask.
    askers
        Whom, by kind of question.
    progress
        Show rate, remaining time and spend.

    Raises
    ------
    LLMStopped
        The run could not end; the same call goes on from what is stored.
    """
    sides, shared = _parts(recipe)
    trees = values = None
    if sides:
        whom = {side: askers[side] for side in sides}
        units = prompts.units(recipe.by)
        trees = extract_trees(units, whom, repairs=recipe.repairs, progress=progress, **shared)
    if "values" in recipe.kinds:
        values = extract_values(
            prompts.units("prompt"),
            askers["values"],
            repairs=recipe.repairs,
            progress=progress,
            template=recipe.templates.get("values"),
            **recipe.sampling,
        )
    return Taken(trees, values)


def collect(prompts: Prompts, recipe: Recipe, clients: Mapping[Kind, ChatClient]) -> Taken:
    """What the stores already hold; nothing is sent (parameters as `take`)."""
    sides, shared = _parts(recipe)
    trees = values = None
    if sides:
        whom = {side: clients[side] for side in sides}
        trees = collect_trees(prompts.units(recipe.by), whom, repairs=recipe.repairs, **shared)
    if "values" in recipe.kinds:
        template, units = recipe.templates.get("values"), prompts.units("prompt")
        values = collect_values(units, clients["values"], repairs=recipe.repairs, template=template, **recipe.sampling)
    return Taken(trees, values)


def dry_run(
    prompts: Prompts, recipe: Recipe, clients: Mapping[Kind, ChatClient], *, batch: bool = False
) -> dict[Kind, Estimate]:
    """What each kind of question would send, cost and take; nothing is sent (parameters as `take`)."""
    found: dict[Kind, Estimate] = {}
    for kind in recipe.kinds:
        client, template = clients[kind], recipe.templates.get(kind)
        units = prompts.units("prompt" if kind == "values" else recipe.by)
        texts, model = list(units["text"]), client.endpoint.model
        plan: TreePlan | ValuePlan
        if kind == "values":
            plan = ValuePlan(texts, model, template, **recipe.sampling)
        else:
            plan = TreePlan(texts, kind, model, template, recipe.samples, **recipe.sampling)
        found[kind] = client.dry_run(plan, batch=batch)
    return found


def _parts(recipe: Recipe) -> tuple[list[Any], dict[str, Any]]:
    """The sides of trees that are asked for, and the settings that `TreePlan` takes."""
    sides = [side for side in SIDES if side in recipe.kinds]
    templates = {side: recipe.templates[side] for side in sides if side in recipe.templates}
    return sides, {"samples": recipe.samples, "templates": templates, **recipe.sampling}
