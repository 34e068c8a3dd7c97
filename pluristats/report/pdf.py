"""The report as a PDF: the same page in print, tagged, with bookmarks and alternative texts."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pluristats.errors import RunError


def write_pdf(run: str | Path) -> Path:
    """Write ``report.pdf`` of a run beside its ``report.html``, and from it.

    Headings become bookmarks and the structure tags of PDF/UA, figures keep their alternative texts. Nothing is
    fetched: what the page does not hold is refused.

    Parameters
    ----------
    run
        Folder of a finished run.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    RunError
        The folder has no report, or WeasyPrint or the libraries of the system that it needs are not there.
    """
    folder = Path(run).expanduser().absolute()
    source = folder / "report.html"
    if not source.is_file():
        raise RunError(f"{folder} has no report.html; run pluristats report {folder} first")
    weasyprint = need_weasyprint()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it warns of every rule that is for screens
    inlined = weasyprint.urls.URLFetcher(allowed_protocols={"data"})
    document = weasyprint.HTML(string=source.read_text(encoding="utf-8"), base_url="", url_fetcher=inlined)
    path = folder / "report.pdf"
    part = path.with_name(path.name + ".part")
    document.write_pdf(part, pdf_variant="pdf/ua-1", optimize_images=True)
    os.replace(part, path)
    return path


def need_weasyprint() -> Any:
    """Give the library, or say how to get it; asked before a long run, so that it does not fail at its end.

    Raises
    ------
    RunError
        It, or what it needs, is not there.
    """
    try:
        import weasyprint
    except ImportError:
        raise RunError("a PDF needs WeasyPrint: pip install 'pluristats[pdf]'") from None
    except OSError:  # its bindings are there, the libraries of the system are not
        raise RunError(
            "WeasyPrint finds no Pango on this machine: apt-get install libpango-1.0-0 libpangoft2-1.0-0 (macOS: brew "
            "install pango)"
        ) from None
    return weasyprint
