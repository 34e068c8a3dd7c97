"""What Tab offers for a study in IPython and JupyterLab, by IPython's own completer with its default settings."""

from __future__ import annotations

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

import pluristats as ps


def offered(code: str, study: ps.Study) -> list[str]:
    """What stands in the list after Tab at the end of the code, without files and magics."""
    completer = IPCompleter(shell=None, namespace={"study": study, "groups": study.groups, "frame": study.frame()})
    with provisionalcompleter():
        found = list(completer.completions(code, len(code)))
    return [one.text for one in found if one.type == "dict key"]


@pytest.fixture(scope="module")
def study() -> ps.Study:
    return ps.simulate_study(n_annotators=6, n_prompts=8, seed=1)


@pytest.mark.parametrize("code", ['study.groups["', "study.groups['", 'groups["', 'len(study.groups["'])
def test_groups(code, study):
    assert sorted(offered(code, study)) == sorted(study.groups)


def test_the_groups_that_a_study_has_and_only_those_that_begin_so(study):
    assert sorted(offered('study.features["', study)) == sorted(study.features) == ["actions", "effects", "values"]
    assert offered('study.groups["a', study) == ["actions"]
    assert offered('study.groups["x', study) == []


def test_a_key_without_its_quotation_mark(study):
    assert set(offered("study.groups[", study)) == {repr(name) for name in study.groups}


def test_labels_and_columns(study):
    assert offered('study.labels["action_Pr', study) == [n for n in study.labels if n.startswith("action_Pr")]
    assert set(offered('frame["Fa', study)) == set(study.groups["factors"])


def test_study_read_again_offers_the_same(study, tmp_path):
    ps.write_study(study, tmp_path / "study")
    assert sorted(offered('study.groups["', ps.load_study(tmp_path / "study"))) == sorted(study.groups)
