from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pluristats.errors import LatentError
from pluristats.latent.estimator import Estimator, infer, load, save
from pluristats.latent.record import Simulated


@pytest.fixture
def folder(quick: Estimator, tmp_path: Path) -> Path:
    return save(quick, tmp_path / "toy")


def test_what_is_read_is_what_was_written(quick: Estimator, agents: Simulated, folder: Path) -> None:
    found = load(folder)
    for part in ("scaling", "calibration"):
        for name, value in vars(getattr(quick, part)).items():
            np.testing.assert_array_equal(getattr(getattr(found, part), name), value)
    assert {k: v.tobytes() for k, v in found.weights.items()} == {k: v.tobytes() for k, v in quick.weights.items()}
    plain = ("model", "version", "simulation", "input_names", "continuous_names", "discrete", "seed", "n_agents")
    for name in (*plain, "n_trials", "settings", "record", "packages"):
        assert getattr(found, name) == getattr(quick, name), name
    a, b = infer(quick, agents), infer(found, agents)
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.interval(0.77)[1], b.interval(0.77)[1])
    np.testing.assert_array_equal(a.probabilities[0], b.probabilities[0])


def test_the_folder_says_where_it_comes_from(folder: Path) -> None:
    config = json.loads((folder / "estimator.json").read_text())
    assert {p.name for p in folder.iterdir()} == {"estimator.json", "weights.npz"}
    assert (config["model"], config["version"], config["seed"], config["simulated"]) == ("toy", 3, 3, True)
    assert config["packages"]["torch"].startswith("2.") and config["settings"]["units"] == 16


def test_nothing_is_overwritten_that_is_not_asked_for(quick: Estimator, folder: Path, tmp_path: Path) -> None:
    before = (folder / "estimator.json").read_bytes()
    with pytest.raises(LatentError, match="holds an estimator already"):
        save(quick, folder)
    assert (folder / "estimator.json").read_bytes() == before
    save(quick, folder, force=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(LatentError, match="something else than an estimator"):
        save(quick, folder, force=True)
    (file := tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    for place in (file, tmp_path / "link"):
        with pytest.raises(LatentError, match="something else"):
            save(quick, place, force=True)
    with pytest.raises(LatentError, match="is no folder that can be written to"):
        save(quick, tmp_path / "none" / "toy")
    assert file.read_text() == "mine" and (folder / "mine.txt").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"toy", "file", "link"}


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    config = json.loads((folder / "estimator.json").read_text())
    change(config)
    (folder / "estimator.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(format="other\x1b[31m"), "its format is"),
        (lambda c: c.update(format_version=2), "format version 2, this reads 1"),
        (lambda c: c.pop("calibration"), "has no 'calibration'"),
        (lambda c: c["scaling"].update(target_sd=[1, 2]), "reshape"),
        (lambda c: c["scaling"].update(target_sd=["x"]), "could not convert"),
        (lambda c: c["scaling"].update(target_sd=[None]), "not finite"),
        (lambda c: c["settings"].update(units=24), "weights.npz: ahead.weight_ih_l0 is not (72, 3)"),
        (lambda c: c["settings"].update(exec="rm"), "exec"),
        (lambda c: c["discrete"].update(state=1.5), "1.5"),
        (lambda c: c.update(input_names="ye"), "no list of texts"),
        (lambda c: c["record"].update(best="x"), "no whole number"),
        (lambda c: c.update(weights_sha256="0"), "not the file"),
    ],
)
def test_a_changed_configuration_is_refused(folder: Path, change: Callable[[Any], Any], says: str) -> None:
    edit(folder, change)
    with pytest.raises(LatentError, match="is no estimator that can be used") as error:
        load(folder)
    assert says in str(error.value) and "\x1b" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"format": NaN}', "[" * 100_000, "\N{SNOWMAN}"])
def test_what_is_no_configuration_is_refused(folder: Path, text: str) -> None:
    (folder / "estimator.json").write_text(text, encoding="utf-8")
    with pytest.raises(LatentError, match="is no estimator that can be used"):
        load(folder)


def test_weights_that_were_cut_or_pickled_are_refused(folder: Path) -> None:
    import hashlib

    place = folder / "weights.npz"
    whole = place.read_bytes()

    def signed(content: bytes) -> None:
        place.write_bytes(content)
        edit(folder, lambda c: c.update(weights_sha256=hashlib.sha256(content).hexdigest()))

    place.write_bytes(whole[:-100])
    with pytest.raises(LatentError, match="not the file"):
        load(folder)
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("ahead.weight_ih_l0.npy", b"no array")
    for content in (whole[:-100], b"", pickle.dumps({"a": 1}), place.read_bytes()):
        signed(content)
        with pytest.raises(LatentError, match="is no estimator that can be used"):
            load(folder)
    signed(whole)
    load(folder)


def test_pickled_arrays_are_never_opened(folder: Path, quick: Estimator) -> None:
    import hashlib

    ran: list[int] = []

    class Bomb:
        def __reduce__(self) -> Any:
            return ran.append, (1,)

    arrays: dict[str, Any] = dict(quick.weights) | {"heads.bias": np.array([Bomb()], dtype=object)}
    np.savez(folder / "weights.npz", **arrays)
    digest = hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest()
    edit(folder, lambda c: c.update(weights_sha256=digest))
    with pytest.raises(LatentError, match="is no estimator that can be used"):
        load(folder)
    assert not ran


def test_no_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LatentError, match="cannot both be read: No such file"):
        load(tmp_path / "none")
