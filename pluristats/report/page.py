"""The report of a run: one self-contained HTML file, and an index of runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pluristats.display.text import printable
from pluristats.report import published, runfolder, where
from pluristats.report.cells import section
from pluristats.report.runner import StageRun, read_notebook
from pluristats.report.source import Source
from pluristats.report.stages import Stage

_GENERATOR = "pluristats report"


def write_report(
    run: Path, source: Source, stages: Sequence[Stage], results: Mapping[str, StageRun], started: str
) -> Path:
    """Render ``report.html`` of a run from its finished stages and put it in place of the previous one.

    Nothing in the file is loaded from elsewhere, and its content security policy forbids scripts and requests even if
    an escape were forgotten. Versions and code are those that the stages ran with, as their records say.

    Parameters
    ----------
    run
        Folder of the run.
    source
        The study.
    stages
        Those to show, in order.
    results
        By stage name.
    started
        UTC time of the run.
    """
    sections = []
    for stage in stages:
        notebook = read_notebook(runfolder.stage_folder(run, stage.name) / "notebook.ipynb")
        sections.append(section(notebook, stage.name, stage.title, f"stages/{stage.name}/"))
    parts = [results[stage.name].record.parts for stage in stages]
    path = run / "report.html"
    write_page(
        path,
        "page.html.j2",
        generator=_GENERATOR,
        source=source,
        started=started,
        sections=sections,
        paper=where.rows(run, stages) if paper_too(stages) else [],
        provenance=[_provenance(stage, results[stage.name]) for stage in stages],
        seconds=sum(results[stage.name].record.seconds for stage in stages),
        versions=_distinct(_versions(part.get("versions")) for part in parts),
        code=_distinct(str(part.get("code", "unknown"))[:16] for part in parts),
    )
    return path


def paper_too(stages: Sequence[Stage]) -> bool:
    """Whether any of the stages is one that regenerates something of the paper."""
    return bool({stage.name for stage in stages} & {item.stage for item in published.ITEMS})


def _versions(found: Any) -> str:
    return (
        ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
        if isinstance(found, dict)
        else "unknown"
    )


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _provenance(stage: Stage, result: StageRun) -> dict[str, Any]:
    record = result.record
    return {
        "name": stage.name,
        "title": stage.title,
        "notebook": Path(stage.notebook).name,
        "parameters": ", ".join(f"{name} = {value!r}" for name, value in sorted(record.parameters.items())),
        "started": record.started,
        "seconds": record.seconds,
        "reused": result.reused,
        "identity": record.identity,
    }


def write_index(reports: Path) -> Path | None:
    """Write ``index.html``, which lists the finished runs of a folder, newest first.

    An index.html that is not ours is left alone, and None returned.
    """
    path = reports / "index.html"
    if path.exists() and f'content="{_GENERATOR}"' not in path.read_text(encoding="utf-8", errors="replace"):
        return None
    runs = []
    for marker in reports.glob("*/run.json"):
        content = runfolder.read_json(marker)
        if isinstance(content, dict) and content.get("format") == runfolder.FORMAT and "finished" in content:
            runs.append(content | {"folder": marker.parent.name})
    runs.sort(key=lambda content: content["finished"], reverse=True)
    write_page(path, "index.html.j2", generator=_GENERATOR, runs=runs)
    return path


def write_page(path: Path, template: str, **values: Any) -> None:
    """Render a template beside its place and move it there whole."""
    text = _environment().get_template(template).render(values)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


@cache
def _environment() -> Any:
    from urllib.parse import quote

    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pluristats.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Names of studies and parameter values are other people's text.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["duration"] = duration
    environment.filters["segment"] = lambda name: quote(name, safe="")
    return environment


def duration(seconds: float) -> str:
    """Seconds in words: "8.2 s", "3 min 5 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
