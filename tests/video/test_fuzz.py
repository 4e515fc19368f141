"""Damaged files of ten kinds are read as far as they go, or refused in one line. See `benchmarks.fuzz_readers`."""

from benchmarks.fuzz_readers import fuzz, print_table
from benchmarks.mutants import KINDS, damage, write_sample

MUTANTS = 150  # of each kind; `python -m benchmarks.fuzz_readers` takes more


def test_damaged_files_give_no_traceback_no_hang_and_leave_nothing_behind(capsys) -> None:
    outcomes, findings = fuzz(MUTANTS)
    with capsys.disabled():
        print()
        print_table(outcomes, findings)
    assert findings == []
    assert sum(counts.total() for counts in outcomes.values()) == MUTANTS * len(KINDS)


def test_the_same_seed_gives_the_same_damage(tmp_path) -> None:
    content = write_sample("png", tmp_path).read_bytes()
    assert damage(content, "0 png 1") == damage(content, "0 png 1") != content


def test_a_crash_and_an_error_are_findings(monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz_readers.KINDS", ("nonsense",))
    _, (finding,) = fuzz(1)
    assert "the process ended: " in finding.problem
    assert "KeyError" in finding.problem
