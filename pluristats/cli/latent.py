"""`pluristats latent simulate`, `latent train` and `latent infer`: latent sequences, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pluristats.errors import LatentError

if TYPE_CHECKING:
    from pluristats.latent.record import Model

latent_app = typer.Typer(name="latent", help="What changes inside an agent over trials.", no_args_is_help=True)

_KNOWN = "rl4, meta-rl, hrl, weber, glm-hmm, rating-drift, rating-sequential or rating-lapse."
ModelName = Annotated[str, typer.Argument(help=_KNOWN, metavar="MODEL")]
Agents = Annotated[int | None, typer.Option(help="How many; the published number by default.")]
NTrials = Annotated[int | None, typer.Option(help="Of each agent; the published number by default.")]
Seed = Annotated[int, typer.Option(help="Of the random numbers.")]
Noise = Annotated[float, typer.Option(help="Times the model's own noise, for models that do not fit.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]


@latent_app.callback()
def _group() -> None:
    """What changes inside an agent over trials: agents of a model, networks trained on them, and what these infer."""


@latent_app.command()
def simulate(
    model: ModelName,
    out: Annotated[Path, typer.Option(help="Table (.parquet, .jsonl, .csv), one row a trial.", metavar="FILE")],
    agents: Agents = None,
    trials: NTrials = None,
    seed: Seed = 0,
    noise: Noise = 1.0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make up agents that behave as a model says, with the latents behind it."""
    from pluristats.cli.output import print_json, printable
    from pluristats.texts import write_table

    chosen = _model(model)
    _check_file(out, force)
    found = chosen.simulate(
        n_agents=_counted("--agents", agents),
        n_trials=_counted("--trials", trials),
        seed=_seed(seed),
        **_settings(noise),
    )
    facts = {
        "kind": "behaviour",
        "simulated": True,
        "model": found.model,
        "version": found.version,
        "seed": seed,
        "settings": dict(found.settings),
        "agents": found.sequences.n_agents,
        "trials": found.sequences.n_trials,
    }
    write_table(found.table(), out, facts)
    if as_json:
        print_json({**facts, "latents": [*found.continuous_names, *found.discrete_names], "out": str(out)})
        return
    print(f"SIMULATED: {found.sequences.n_agents:,} agents of {found.sequences.n_trials:,} trials, model {found.model}")
    print(printable(f"latents {', '.join([*found.continuous_names, *found.discrete_names])}; written to {out}"))


@latent_app.command()
def train(
    model: ModelName,
    out: Annotated[Path, typer.Option(help="Folder to make: estimator.json and weights.npz.", metavar="FOLDER")],
    agents: Agents = None,
    trials: NTrials = None,
    seed: Seed = 0,
    noise: Noise = 1.0,
    units: Annotated[int | None, typer.Option(help="Hidden units in each direction.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes through that many agents, at most.")] = None,
    batch: Annotated[int | None, typer.Option(help="Agents a step.")] = None,
    rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    threads: Annotated[int | None, typer.Option(help="Of torch; they may change last digits.")] = None,
    published: Annotated[bool, typer.Option("--published", help="Start from the published settings.")] = False,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda; a GPU where there is one.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on a model's agents, and calibrate its uncertainty on others."""
    from dataclasses import replace

    from pluristats.cli.output import print_json, printable
    from pluristats.latent.estimator import PUBLISHED, Settings, save
    from pluristats.latent.estimator import train as fit
    from pluristats.latent.estimator.store import check_folder

    chosen = _model(model)
    given = {"units": units, "epochs": epochs, "batch": batch, "rate": rate, "threads": threads}
    settings = replace(PUBLISHED if published else Settings(), **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    check_folder(out, force)
    found = fit(
        chosen,
        n_agents=_counted("--agents", agents),
        n_trials=_counted("--trials", trials),
        seed=_seed(seed),
        simulation=_settings(noise),
        settings=settings,
        device=device,
        progress=True,
    )
    save(found, out, force=force)
    record = found.record
    facts: dict[str, Any] = {
        "model": found.model,
        "version": found.version,
        "simulated": True,
        "simulation": dict(found.simulation),
        "agents": found.n_agents,
        "trials": found.n_trials,
        "seed": found.seed,
        "settings": settings.as_dict(),
        "epochs": len(record.validation),
        "best_epoch": record.best + 1,
        "stopped": record.stopped,
        "validation_loss": record.validation[record.best],
        "seconds": sum(record.seconds),
        "device": record.device,
        "out": str(out),
    }
    if as_json:
        print_json(facts)
        return
    print(
        f"trained on SIMULATED agents of model {found.model}: {found.n_agents:,} of {found.n_trials:,} trials an epoch"
    )
    print(
        f"{len(record.validation)} epochs in {sum(record.seconds):,.1f} s on {record.device}, stopped by "
        f"{record.stopped}; best epoch {record.best + 1}, validation loss {record.validation[record.best]:.4f}"
    )
    print(printable(f"estimator written to {out}"))


@latent_app.command()
def infer(
    folder: Annotated[Path, typer.Argument(help="Estimator that `latent train` wrote.", metavar="FOLDER")],
    table: Annotated[Path, typer.Argument(help="Parquet or CSV: agent, trial, the model's columns.", metavar="TABLE")],
    out: Annotated[Path, typer.Option(help="Table (.parquet, .jsonl, .csv) of latents.", metavar="FILE")],
    level: Annotated[float, typer.Option(help="Of intervals.")] = 0.9,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda; a GPU where there is one.")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Infer latents of agents from their behaviour, with intervals and probabilities of states."""
    import time

    from pluristats.cli.output import print_json, printable, warnings_on_stderr
    from pluristats.latent.estimator import infer as ask
    from pluristats.latent.estimator import load
    from pluristats.latent.estimator.net import need_torch
    from pluristats.latent.tables import read_behaviour
    from pluristats.texts import write_table

    _check_file(out, force)
    estimator = load(folder)
    model = _model(estimator.model)
    with warnings_on_stderr() as told:
        _check_version(estimator.version, model)
        seen = read_behaviour(table, model)
        need_torch()  # loading it is not inference
        begun = time.perf_counter()
        found = ask(estimator, seen.sequences(model), simulated=seen.simulated, device=device)
        seconds = time.perf_counter() - begun
    tidy = found.tidy(level, seen.agents, seen.first)
    facts = {
        "kind": "latents",
        "simulated": found.simulated,
        "model": found.model,
        "version": found.version,
        "agents": len(seen.agents),
        "trials": int(found.mask.sum()),
        "latents": [*found.continuous_names, *found.discrete_names],
        "level": level,
    }
    write_table(tidy, out, facts)
    if as_json:
        print_json({**facts, "seconds": seconds, "out": str(out), "warnings": told})
        return
    if found.simulated:
        print("SIMULATED: this behaviour was made up; nothing here says anything about people")
    print(f"{len(seen.agents):,} agents, {int(found.mask.sum()):,} trials in {seconds:.2f} s, model {found.model}")
    print(printable(f"latents {', '.join([*found.continuous_names, *found.discrete_names])}; written to {out}"))


def _model(name: str) -> Model:
    from pluristats.latent.registry import MODELS

    if name not in MODELS:
        raise LatentError(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def _seed(seed: int) -> int:
    if seed < 0:
        raise LatentError(f"--seed {seed}: seeds are whole numbers from 0")
    return seed


def _settings(noise: float) -> dict[str, Any]:
    """Of the simulator; the noise is named only where it is not the model's own, because not every model has one."""
    return {} if noise == 1.0 else {"noise": noise}


def _counted(option: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise LatentError(f"{option} {value}: give a whole number from 1")
    return value


def _check_file(path: Path, force: bool) -> None:
    """Refuse a place that cannot be written to, or where something is."""
    from pluristats.texts import check_place

    check_place(path, [], force=True)
    if path.is_dir():
        raise LatentError(f"{path} is a folder; name a file")
    if path.exists() and not force:
        raise LatentError(f"{path} exists already; name another file, or give --force")


def _check_version(trained: int, model: Model) -> None:
    import warnings

    from pluristats.errors import LatentWarning

    if trained != model.version:
        warnings.warn(
            f"the estimator was trained on version {trained} of model {model.name!r}, which is at version "
            f"{model.version}; train it again if the change matters to you",
            LatentWarning,
            stacklevel=2,
        )
