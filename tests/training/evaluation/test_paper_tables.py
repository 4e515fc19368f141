import numpy as np
import pytest
from evaluation_reports import clips_of, report_of

from training.evaluation.paper_tables import compare_with_paper, format_misprints, printed_table


@pytest.mark.parametrize(("data", "count"), [("mead", 0), ("ravdess", 3)])
def test_the_only_misprint_is_the_known_one_in_table_2(data, count):
    assert len(format_misprints(data)) == count


def test_the_misprinted_average_is_named_with_the_mean_of_its_rows():
    assert format_misprints("ravdess")[0] == (
        "cross-id, icface+asccl, FAD: the paper prints the average 8.903; the mean of its rows is 9.086"
    )


def test_the_printed_values_are_found_by_emotion_method_and_column():
    table = printed_table("mead", "cross-id")
    assert table.values[4, 3].tolist() == [3.383, 9.178, 0.866]
    assert np.allclose(table.averages[2], [4.448, 9.906, 0.773])


def test_our_numbers_stand_beside_the_printed_ones():
    report = report_of(*clips_of("ned", [0.5, 0.7]))
    report.protocol["measures"][0]["name"] = "csim"
    for group in report.groups:
        group["measure"] = "csim"
    table = compare_with_paper(report, "mead", ["ned"])[0]
    assert table.rows[4] == ["happy", "– (3.919)", "– (9.936)", "0.500 (0.842)"]


def test_the_title_names_columns_whose_weights_are_missing():
    report = report_of(*clips_of("ned", [0.5, 0.7]))
    assert "LSE-D by none: not measured" in compare_with_paper(report, "mead", ["ned"])[0].title
