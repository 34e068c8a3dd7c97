"""The one place where a stage of the main job is registered: name, notebook, inputs, outputs, parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pluristats.errors import RunError
from pluristats.packaged import packaged

Value = str | int | float | bool | None | list | dict

RESERVED = ("data", "seed", "out", "inputs")
"""Parameters that the run itself gives to every notebook."""


@dataclass(frozen=True)
class Stage:
    """One notebook of the main job.

    Parameters
    ----------
    name
        Short and unique; the stage's folder in a run and its name in ``--stages``.
    title
        Heading of its section in the report.
    notebook
        File name in ``notebooks/`` (or an absolute path). Its cell tagged ``parameters`` declares ``data`` (folder
        of the study, empty for the simulated one), ``seed``, ``out`` (folder for artefacts, empty for none), every
        name in ``parameters`` and, where the stage reads other stages' files, ``inputs``.
    inputs
        Files of other stages that it reads, as ``"stage/path"`` ("regressions/tables/rq1.csv"). The notebook finds
        each in ``inputs["stage/path"]``. The study is an input of every stage and is not listed.
    outputs
        Files that must be in the stage's folder when it has finished ("tables/rq1.csv"); anything else that it
        writes there is kept too.
    parameters
        Settings beside ``data``, ``seed``, ``out`` and ``inputs``, with defaults equal to the notebook's own.
    """

    name: str
    title: str
    notebook: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def needs(self) -> tuple[str, ...]:
        """Stages whose files this one reads, each once, in the order of ``inputs``."""
        return tuple(dict.fromkeys(path.partition("/")[0] for path in self.inputs))


# Order is the report's order; a stage stands after those whose files it reads.
STAGES: tuple[Stage, ...] = (
    Stage("study", "The study and its disagreement", "01_study.ipynb"),
    Stage(
        "regressions",
        "What predicts a rating (RQ1–RQ3)",
        "04_regressions.ipynb",
        outputs=("tables/overview.csv",),
        parameters={"penalty": "bic", "likelihood_engine": "python"},
    ),
    Stage(
        "ladder",
        "Which kind of information helps most (RQ4)",
        "05_ladder.ipynb",
        outputs=("tables/own-rows.csv", "tables/common-rows.csv", "tables/ledger.csv"),
        parameters={"penalty": "bic"},
    ),
    Stage(
        "multiverse",
        "What the ladder hangs on (analytic choices)",
        "05b_multiverse.ipynb",
        outputs=("tables/rungs.csv", "tables/influence.csv", "tables/chance.csv"),
        parameters={"whole": False, "jobs": 1, "store": ""},
    ),
    Stage(
        "evaluate",
        "Who predicts each person's ratings",
        "06_evaluate.ipynb",
        outputs=("tables/beside.csv", "figures/annotators.csv", "figures/calibration.csv"),
        parameters={
            "methods": (
                "uniform-random,constant-0.5,annotator-mean,annotator-median,prompt-mean,mixed-blup,lasso-mixed,"
                "hierarchical-ridge,gp-heaped,low-rank-heaped,oracle-prompt-mean,oracle-prompt-mean-and-offset"
            ),
            "splits": 3,
            "jobs": 1,
            "active_splits": 1,
            "most_questions": 20,
        },
    ),
    Stage(
        "latent",
        "What changes inside an annotator over a session",
        "07_latent.ipynb",
        outputs=("tables/network.csv",),
        parameters={"permutations": 300, "draws": 16, "nulls": 5, "train_agents": 1500, "train_epochs": 12},
    ),
    Stage(
        "generate",
        "Variants of seed prompts (a trial of the pipeline)",
        "02_generate.ipynb",
        outputs=("tables/status.csv", "figures/checks.csv", "variants.jsonl"),
        parameters={
            "seeds": "",
            "base_url": "",
            "model": "",
            "key_variable": "OPENAI_API_KEY",
            "store": "",
            "max_requests": 1000,
        },
    ),
    Stage(
        "features",
        "Features of prompts (a trial of the pipeline)",
        "03_features.ipynb",
        outputs=("tables/status.csv", "figures/contributions.csv", "figures/features.csv", "pool.jsonl"),
        parameters={
            "prompts": "",
            "base_url": "",
            "model": "",
            "key_variable": "OPENAI_API_KEY",
            "store": "",
            "max_requests": 1000,
            "profile": "graded",
            "topics": 8,
            "smallest_topic": 10,
        },
    ),
    Stage(
        "select",
        "Selection of prompts",
        "03b_select.ipynb",
        outputs=("tables/reached.csv", "figures/trace.csv", "tables/methods.csv", "tables/study.csv"),
        parameters={
            "pool": "",
            "size": 150,
            "target": "pluriharms",
            "max_per_seed": 2,
            "generations": 4,
            "seeds": 3,
            "simulated_seeds": 600,
        },
    ),
)


def plan(stages: Sequence[Stage], picked: Iterable[str] | None = None) -> tuple[Stage, ...]:
    """Stages to run, in order: the picked ones and all that they need.

    Parameters
    ----------
    stages
        The registry; each stage after those that it needs.
    picked
        Names; None picks all.

    Raises
    ------
    RunError
        For an unknown name (the message lists the known ones), an empty pick, or a registry that is not in order.
    """
    by_name = {stage.name: stage for stage in stages}
    _check_order(stages)
    names = list(by_name) if picked is None else [name.strip() for name in picked]
    for name in names:
        if name not in by_name:
            raise RunError(f"there is no stage {name!r}; the stages are {', '.join(by_name)}")
    if not names:
        raise RunError(f"no stage was picked; the stages are {', '.join(by_name)}")
    wanted: set[str] = set()
    while names:
        name = names.pop()
        if name not in wanted:
            wanted.add(name)
            names.extend(by_name[name].needs)
    return tuple(stage for stage in stages if stage.name in wanted)


def _check_order(stages: Sequence[Stage]) -> None:
    seen: set[str] = set()
    for stage in stages:
        if stage.name in seen:
            raise RunError(f"stage {stage.name!r} is registered twice")
        if missing := [need for need in stage.needs if need not in seen]:
            raise RunError(f"stage {stage.name!r} reads files of {missing[0]!r}, which is not registered before it")
        if taken := [name for name in stage.parameters if name in RESERVED]:
            raise RunError(f"stage {stage.name!r} declares {taken[0]!r}, which every run gives by itself")
        seen.add(stage.name)


def notebook_path(stage: Stage) -> Path:
    """Where the stage's notebook is: the installed package's copy, else the repository's ``notebooks/``.

    Raises
    ------
    RunError
        When it is in neither.
    """
    path = packaged("notebooks") / stage.notebook
    if path.is_file():
        return path
    raise RunError(
        f"the notebook {stage.notebook} of stage {stage.name!r} is not there; install pluristats again, "
        "or run it from a complete clone"
    )
