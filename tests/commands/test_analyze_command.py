"""What `asccl analyze` prints."""

from pathlib import Path

from asccl.commands.analyze import format_report


def test_the_printed_line_names_the_heads_in_words():
    means = {kind: {"mean": 0.5, "deviation": 0.1} for kind in ("corresponding", "non_corresponding")}
    similarity = {"overall": {"cosine": means, "pearson": means}}
    report = {
        "pair": "source – generated",
        "similarity": dict.fromkeys(("trained", "untrained", "bare"), similarity),
        "settings": {"pairing": "time", "alignment": "place"},
        "frames": {"paired": 3, "compared": 3},
    }
    columns = format_report(Path("edit.mp4"), report).split("\t")
    names = [column.partition(" corresponding")[0] for column in columns[2:5]]
    assert names == ["trained mapping, cosine", "untrained mapping, cosine", "no mapping, cosine"]
