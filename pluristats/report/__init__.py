"""Running notebooks and showing what they made: stages, runs, artefacts, one HTML page."""

from pluristats.report.artifacts import Artifacts
from pluristats.report.difference import RunDifference, diff
from pluristats.report.pdf import need_weasyprint, write_pdf
from pluristats.report.render import render
from pluristats.report.runs import RunRecord, StageRecord, reproduce
from pluristats.report.stages import STAGES, Stage

__all__ = [
    "STAGES",
    "Artifacts",
    "RunDifference",
    "RunRecord",
    "Stage",
    "StageRecord",
    "diff",
    "need_weasyprint",
    "render",
    "reproduce",
    "write_pdf",
]
