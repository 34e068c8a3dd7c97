"""Estimators as folders: ``estimator.json`` says everything, ``weights.npz`` has the arrays. Nothing is pickled."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pluristats.errors import LatentError
from pluristats.latent.estimator.calibrate import LEVELS, Calibration
from pluristats.latent.estimator.estimator import Estimator, Record, Scaling
from pluristats.latent.estimator.net import Weights, shapes
from pluristats.latent.estimator.settings import Settings

FORMAT, VERSION = "pluristats latent estimator", 1
_CONFIG, _WEIGHTS = "estimator.json", "weights.npz"


def save(estimator: Estimator, folder: str | Path, *, force: bool = False) -> Path:
    """Write an estimator as a folder, whole or not at all.

    Parameters
    ----------
    folder
        To make. Its parent exists.
    force
        Replace an estimator that is there. A folder that holds anything else is never replaced.

    Raises
    ------
    LatentError
        The folder is there already (see ``force``), or cannot be written.
    """
    place = Path(folder)
    check_folder(place, force)
    weights = _npz(estimator.weights)
    config = json.dumps(
        _config(estimator, hashlib.sha256(weights).hexdigest()), indent=1, allow_nan=False, default=_number
    )
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        (part / _WEIGHTS).write_bytes(weights)
        (part / _CONFIG).write_text(f"{config}\n", encoding="ascii")
        if place.exists():
            shutil.rmtree(place)
        os.replace(part, place)
    except OSError as error:
        raise LatentError(f"{place}: cannot be written ({error.strerror}); name another place") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def check_folder(folder: Path, force: bool) -> None:
    """Refuse, before anything is computed, a place where an estimator cannot or should not be written.

    Raises
    ------
    LatentError
        No parent folder that can be written to, or something there.
    """
    if not folder.parent.is_dir() or not os.access(folder.parent, os.W_OK):
        raise LatentError(f"{folder}: {folder.parent} is no folder that can be written to; make it first")
    if not (folder.exists() or folder.is_symlink()):
        return
    # An empty folder is replaced like nothing at all; other files are somebody's.
    if folder.is_symlink() or not folder.is_dir() or not {p.name for p in folder.iterdir()} <= {_CONFIG, _WEIGHTS}:
        raise LatentError(f"{folder} holds something else than an estimator; name another folder")
    if not force and any(folder.iterdir()):
        raise LatentError(f"{folder} holds an estimator already; name another folder, or force replacing")


def load(folder: str | Path) -> Estimator:
    """Read what :func:`save` wrote, exactly. Nothing in the files is run, and torch is not needed.

    Raises
    ------
    LatentError
        The folder is no estimator, was changed, or was written by a later version.
    """
    place = Path(folder)
    try:
        text, weights = (place / _CONFIG).read_text(encoding="ascii"), (place / _WEIGHTS).read_bytes()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII text"
        _refuse(place, f"{_CONFIG} and {_WEIGHTS} cannot both be read: {reason}")
    try:
        config = json.loads(text, parse_constant=_no_constant)
        if config["format"] != FORMAT:
            raise ValueError(f"its format is {str(config['format'])[:60]!r}")
        if config["format_version"] != VERSION:
            raise ValueError(f"it is of format version {str(config['format_version'])[:20]}, this reads {VERSION}")
        if config["weights_sha256"] != hashlib.sha256(weights).hexdigest():
            raise ValueError(f"{_WEIGHTS} is not the file that {_CONFIG} was written with")
        found = _estimator(config, weights)
    except (KeyError, TypeError, ValueError, RecursionError, BadZipFile, EOFError, LatentError) as error:
        missing = f"{_CONFIG} has no {error}" if isinstance(error, KeyError) else str(error)[:200]
        _refuse(place, missing)
    return found


def _refuse(place: Path, why: str) -> NoReturn:
    raise LatentError(f"{place} is no estimator that can be used ({why}); save it again with the one who trained it")


def _config(estimator: Estimator, digest: str) -> dict[str, Any]:
    scaling, calibration = estimator.scaling, estimator.calibration
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "simulated": True,
        "model": estimator.model,
        "version": estimator.version,
        "simulation": dict(estimator.simulation),
        "input_names": estimator.input_names,
        "continuous_names": estimator.continuous_names,
        "discrete": dict(estimator.discrete),
        "seed": estimator.seed,
        "n_agents": estimator.n_agents,
        "n_trials": estimator.n_trials,
        "settings": estimator.settings.as_dict(),
        "scaling": {name: value.tolist() for name, value in vars(scaling).items()},
        "calibration": {name: value.tolist() for name, value in vars(calibration).items()},
        "record": asdict(estimator.record),
        "packages": dict(estimator.packages),
        "weights_sha256": digest,
    }


def _estimator(config: dict[str, Any], weights: bytes) -> Estimator:
    discrete = {str(name): _whole(n) for name, n in config["discrete"].items()}
    inputs, continuous = _names(config["input_names"]), _names(config["continuous_names"])
    settings = Settings.from_dict(config["settings"])
    d, c = len(inputs), len(continuous)
    scaling, calibration, record = config["scaling"], config["calibration"], config["record"]
    return Estimator(
        model=str(config["model"]),
        version=_whole(config["version"]),
        simulation=dict(config["simulation"]),
        input_names=inputs,
        continuous_names=continuous,
        discrete=discrete,
        seed=_whole(config["seed"]),
        n_agents=_whole(config["n_agents"]),
        n_trials=_whole(config["n_trials"]),
        settings=settings,
        scaling=Scaling(
            *(_array(scaling, name, (d,)) for name in ("input_mean", "input_sd")),
            *(_array(scaling, name, (c,)) for name in ("target_mean", "target_sd")),
        ),
        calibration=Calibration(
            _array(calibration, "scale", (c,)),
            _array(calibration, "half_widths", (c, len(LEVELS))),
            _array(calibration, "temperature", (len(discrete),)),
        ),
        weights=_read(weights, shapes(d, c, tuple(discrete.values()), settings.units)),
        record=Record(
            training=_floats(record["training"]),
            validation=_floats(record["validation"]),
            seconds=_floats(record["seconds"]),
            rates=_floats(record["rates"]),
            best=_whole(record["best"]),
            stopped=str(record["stopped"]),
            device=str(record["device"]),
        ),
        packages={str(name): str(value) for name, value in config["packages"].items()},
    )


def _number(value: Any) -> Any:
    """Settings of a simulator may be numpy's numbers."""
    if isinstance(value, np.generic):
        return value.item()
    raise LatentError(f"a setting of the simulator, {str(value)[:60]!r}, cannot be written as JSON; give a number")


def _npz(weights: Weights) -> bytes:
    sink = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in weights.items()}
    np.savez(sink, **arrays)
    return sink.getvalue()


def _read(content: bytes, expected: dict[str, tuple[int, ...]]) -> Weights:
    found: dict[str, NDArray[np.float32]] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        if set(arrays.files) != set(expected):
            raise ValueError(f"{_WEIGHTS} has other arrays than its settings ask for")
        for name, shape in expected.items():
            value = arrays[name]
            if value.dtype != np.float32 or value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"{_WEIGHTS}: {name} is not {shape} finite 32-bit numbers")
            found[name] = value
    return found


def _array(values: dict[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = np.array(values[name], dtype=np.float64).reshape(shape)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} has a number that is not finite")
    return found


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise ValueError("names that are no list of texts")
    return tuple(values)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{str(value)[:40]!r} is no whole number")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
