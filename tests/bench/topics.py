"""What finding topics of 20,000 value statements costs, and whether a rerun finds the same. Prints a small table.

    python -m tests.bench.topics [NUMBER] [EMBEDDER ...]    embedders: minilm, light; both by default

The statements are those of `tests/topics/statements.py`: made up, all different, of 60 themes. For each embedder the
topics are found in a process of its own and the model is saved; a second process, with two threads instead of one,
embeds and clusters again, and BERTopic places 2,000 new statements by UMAP and HDBSCAN, against which the rule for new
texts is measured, with the nearest centre of a topic beside it. Times are seconds on the clock and of the processor;
on a busy machine only the latter say anything.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from pluristats.topics import Embedder, fit_topics, light_embedder, load_topics, sentence_embedder
from pluristats.topics.cluster import cluster, versions
from pluristats.topics.embed import Bools, Vectors, embedded
from pluristats.topics.fit import keyword_table
from tests.topics.statements import statements

NEW = 2_000
SMALLEST = 100


class Clock:
    """Seconds since it was made, or a sum of such."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> np.ndarray:
        """On the clock, and of the processor on all threads."""
        return np.array([time.perf_counter() - self.wall, time.process_time() - self.cpu])


def told(seconds: np.ndarray) -> str:
    """Both, as the table has them."""
    return f"{seconds[0]:.1f} / {seconds[1]:.1f}"


@dataclass
class Timed:
    """An embedder that counts its seconds."""

    embedder: Embedder
    seconds: np.ndarray

    @property
    def identity(self) -> Mapping[str, Any]:
        return self.embedder.identity

    def __call__(self, texts: Sequence[str], *, progress: bool = False) -> Vectors:
        clock = Clock()
        vectors = self.embedder(texts, progress=progress)
        self.seconds = self.seconds + clock.read()
        return vectors

    def cut(self, texts: Sequence[str]) -> Bools:
        return self.embedder.cut(texts)


def made(number: int) -> tuple[list[str], list[int], list[str], list[int]]:
    """Statements to fit and their themes, new ones and theirs."""
    texts, themes = statements(number + NEW)
    return texts[:number], themes[:number], texts[number:], themes[number:]


def peak_mib() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def first(number: int, name: str, folder: str) -> dict[str, object]:
    """Find topics, save the model and place new statements."""
    texts, themes, new, _ = made(number)
    clock = Clock()
    import bertopic  # noqa: F401 (its import is told apart)

    imported, clock = clock.read(), Clock()
    plain = sentence_embedder() if name == "minilm" else light_embedder(sorted(texts))
    embedder, making = Timed(plain, np.zeros(2)), clock.read()
    clock = Clock()
    model = fit_topics(texts, embed=embedder, min_cluster_size=SMALLEST)
    all_of_it, embedding = clock.read(), embedder.seconds
    fitting = peak_mib()
    model = replace(model, embedder=plain)
    model.save(folder)
    size = sum(file.stat().st_size for file in os.scandir(folder))
    embedder, clock = Timed(plain, np.zeros(2)), Clock()
    replace(model, embedder=embedder).assign(new)
    assigning = clock.read()
    truth = dict(zip(texts, themes, strict=True))
    return {
        "different statements": len(model.texts),
        "import of BERTopic, s": told(imported),
        "embedding (and making the embedder), s": told(making + embedding),
        "all else of the fit, s": told(all_of_it - embedding),
        "peak memory of the fit, MiB": round(fitting),
        "clusters": model.merged_from,
        "topics": model.n_topics,
        "share of statements in no topic": round(float((model.topic < 0).mean()), 3),
        "adjusted Rand index with the 60 themes": round(
            adjusted_rand_score([truth[text] for text in model.texts], model.topic), 3
        ),
        "rule for new texts agrees with the clustering (left out in turn)": round(model.agreement.share, 3),
        f"{NEW:,} new statements: embedding, s": told(embedder.seconds),
        f"{NEW:,} new statements: placing, s": told(assigning - embedder.seconds),
        "saved model, MiB": round(size / 2**20, 1),
        "digest": model.digest()[:16],
    }


def second(number: int, name: str, folder: str) -> dict[str, object]:
    """Find them again, and compare with how BERTopic places new statements."""
    _, _, new, themes = made(number)
    model = load_topics(folder)
    embedder = sentence_embedder() if name == "minilm" else light_embedder(model.texts)
    clock = Clock()
    vectors, new_vectors = embedded(embedder, model.texts), embedded(embedder, new)
    found = cluster(model.texts, vectors, model.settings)
    fitting, clock = clock.read(), Clock()
    again = replace(model, topic=found.topic, keywords=keyword_table(found))
    raw = np.array(found.model.transform(new, embeddings=new_vectors)[0])
    placing = clock.read()
    # BERTopic's numbers of topics are not ours: the fitted statements tell which is which.
    fitted = found.model.transform(list(model.texts), embeddings=vectors)[0]
    number_of = dict(zip(fitted, found.topic, strict=True))
    by_umap = np.array([number_of[topic] for topic in raw])
    by_rule = model.assign(new)["topic"].to_numpy()
    centres = np.array([vectors[found.topic == t].mean(axis=0) for t in range(len(found.keywords))])
    by_centre = (new_vectors @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(axis=1)
    placed = {"BERTopic's own": by_umap, "the rule": by_rule, "nearest centre": by_centre}
    return {
        "rerun with two threads, digest": again.digest()[:16],
        "rerun with two threads, s": told(fitting),
        f"BERTopic places {NEW:,} new statements, s": told(placing),
        **{
            f"new statements, {who}: agrees with BERTopic's own": round(float((topic == by_umap).mean()), 3)
            for who, topic in list(placed.items())[1:]
        },
        **{
            f"new statements, {who}: adjusted Rand index with the themes": round(adjusted_rand_score(themes, topic), 3)
            for who, topic in placed.items()
        },
    }


def run(what: str, number: int, name: str, folder: str, threads: int) -> dict[str, object]:
    """One of the two in a fresh process."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    command = [sys.executable, "-m", "tests.bench.topics", what, str(number), name, folder]
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(number: int, embedders: Sequence[str]) -> None:
    """Print the table."""
    columns = []
    for name in embedders:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(run("first", number, name, folder, 1) | run("second", number, name, folder, 2))
    width = max(map(len, columns[0])) + 2
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(", ".join(f"{package} {version}" for package, version in versions().items()))
    print("".ljust(width), *(name.rjust(18) for name in embedders))
    for row in columns[0]:
        print(row.ljust(width), *(str(column[row]).rjust(18) for column in columns))


if __name__ == "__main__":
    if sys.argv[1:2] in (["first"], ["second"]):
        job = {"first": first, "second": second}[sys.argv[1]]
        print(json.dumps(job(int(sys.argv[2]), sys.argv[3], sys.argv[4])))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 20_000, sys.argv[2:] or ["minilm", "light"])
