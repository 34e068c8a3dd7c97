from __future__ import annotations

import io

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pluristats.report.progress import cell_titles, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell(news) -> None:
    news.begin("study", 2)
    news.cell("study", 1, 2, "")
    news.cell("study", 2, 2, "[red]Alpha[/red] \x1b[1m")
    news.end("study", 2, 1.25)


def test_without_a_terminal_each_step_is_one_stamped_line_and_the_log_is_the_same(tmp_path):
    screen = io.StringIO()
    with progress(tmp_path / "run.log", screen) as news:
        tell(news)
    lines = screen.getvalue().splitlines()
    assert [line[21:] for line in lines] == [
        "study: running 2 cells",
        "study: cell 1/2",
        r"study: cell 2/2 [red]Alpha[/red] \x1b[1m",
        "study: finished in 1.2 s",
    ]
    assert (tmp_path / "run.log").read_text() == screen.getvalue()


def test_on_a_terminal_there_is_a_bar_and_the_log_stays_plain(tmp_path):
    screen = Terminal()
    with progress(tmp_path / "run.log", screen) as news:
        tell(news)
    assert "2/2" in screen.getvalue()
    assert "left" in screen.getvalue()
    log = (tmp_path / "run.log").read_text()
    assert "\x1b" not in log
    assert log.count("\n") == 4
    assert r"study: cell 2/2 [red]Alpha[/red] \x1b[1m" in log


def test_the_log_is_added_to_and_quiet_is_quiet(tmp_path, capfd):
    for _ in range(2):
        with progress(tmp_path / "run.log", None) as news:
            tell(news)
    assert (tmp_path / "run.log").read_text().count("finished") == 2
    assert capfd.readouterr() == ("", "")


def test_cells_go_by_the_last_heading_above():
    cells = [new_code_cell("1"), new_markdown_cell("# A\ntext\n## B"), new_code_cell("2"), new_markdown_cell("no")]
    assert cell_titles(new_notebook(cells=cells)) == ["", "B", "B", "B"]
