"""Two runs side by side."""

from medmij_conformance.report import compare


def _run(journal, scenario_row, *statuses: int, **changes):
    rows = tuple(scenario_row(id=f"s{number}") for number, _ in enumerate(statuses))
    book = journal(scenarios=rows, target=changes)
    for row, status in zip(rows, statuses, strict=True):
        book.start(row["id"])
        book.judge("token_is_issued", exchange=book.exchange(status))
        book.end_scenario()
    return book.end()


def test_the_same_run_twice_has_no_differences(journal, scenario_row) -> None:
    """Equal outcomes are equal, and so are equal settings."""
    first, second = (_run(journal, scenario_row, 200, 400) for _ in range(2))
    assert compare.differences(first, second) == ()
    assert list(compare.settings(first, second)) == []


def test_every_change_is_told_worst_first(journal, scenario_row) -> None:
    """What became worse, is gone, is new, or became better, with the outcomes and what is seen now."""
    before = _run(journal, scenario_row, 400, 200, 200, 400)
    after = _run(journal, scenario_row, 200, 400, 200)
    found = [(each.kind, each.scenario, each.before, each.after) for each in compare.differences(before, after)]
    assert found == [
        ("worse", "s1", "pass", "fail"),
        ("gone", "s3", "fail", "absent"),
        ("better", "s0", "fail", "pass"),
    ]
    worse = compare.differences(before, after)[0]
    assert (worse.check, worse.requirements, worse.observed) == ("token_is_issued", ("APP.6",), "400: {}")
    assert [each.kind for each in compare.differences(after, before)] == ["worse", "new", "better"]


def test_other_settings_are_told(journal, scenario_row) -> None:
    """Another target file, or another verdict, is said, so that nobody mistakes the reason."""
    before, after = _run(journal, scenario_row, 200), _run(journal, scenario_row, 400, fingerprint="1a" * 32)
    assert [line.partition(":")[0] for line in compare.settings(before, after)] == ["target file", "verdict"]
