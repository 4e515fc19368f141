"""Who sees what: balance, chance from the seed, catch trials, repeats; plans and manifests."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from study_media import COLOURS
from walker import enter, finish

from asccl.errors import InputError, SettingError
from asccl.study import people, studies
from asccl.study.clips import NO_SEI, ingest
from asccl.study.design import BROKEN, GAP, MethodPair, all_pairs, participant_seed, schedule
from asccl.study.edits import make_edits, parse_method, references_in
from asccl.study.manifest import read_items
from asccl.study.plan import Plan, from_dict, read_plan
from asccl.study.results import read_votes
from asccl.study.store import Store
from asccl.study.words import LANGUAGES, _read

ITEMS = [f"item-{number}" for number in range(7)]
PAIRS = all_pairs(ITEMS, ["NED", "ASCCL", "ICface"])


def planned(seed: int = 1, filled: dict | None = None, **plan: object):
    return schedule(from_dict({"title": "t", **plan}), PAIRS, filled or {}, seed, ITEMS[:3])


def test_the_seed_decides_everything():
    assert planned(5) == planned(5) != planned(6)
    seeds = {participant_seed(0, number) for number in range(1000)}
    assert len(seeds) == 1000 and max(seeds) < 2**53


def test_every_pair_once_for_each_question_with_training_repeats_and_catches():
    trials = planned(training=2, repeats=4, identical=3, broken=2)
    kinds = Counter(trial.kind for trial in trials)
    assert kinds == {"training": 2, "main": 3 * len(PAIRS), "repeat": 4, "identical": 3, "broken": 2}
    assert [trial.kind for trial in trials[:2]] == ["training"] * 2
    main = [t for t in trials if t.kind == "main"]
    asked = Counter((t.question, MethodPair(t.item, *sorted((t.left, t.right)))) for t in main)
    assert set(asked.values()) == {1} and {pair for _, pair in asked} == set(PAIRS)
    assert all(t.left == t.right for t in trials if t.kind == "identical")
    assert all([t.left, t.right].count(BROKEN) == 1 for t in trials if t.kind == "broken")


def test_questions_come_in_blocks_and_sides_are_balanced_within_each():
    orders = set()
    for seed in range(20):
        trials = planned(seed)[1:]
        blocks = list(dict.fromkeys(t.question for t in trials))
        assert [t.question for t in trials] == sorted((t.question for t in trials), key=blocks.index)
        orders.add(tuple(blocks))
        for question in blocks:
            flipped = [t.left > t.right for t in trials if t.kind == "main" and t.question == question]
            assert abs(2 * sum(flipped) - len(flipped)) <= 1
    assert len(orders) == 6  # all orders of three questions


def test_each_pair_has_either_side_equally_often_over_people():
    left = Counter(
        (t.question, t.item, *sorted((t.left, t.right))) for seed in range(400) for t in planned(seed)
        if t.kind == "main" and t.left < t.right
    )  # fmt: skip
    assert all(140 < left[key] < 260 for key in left) and len(left) == 3 * len(PAIRS)


def test_repeats_swap_sides_and_keep_a_distance():
    for seed in range(30):
        trials = planned(seed, repeats=6)
        for place, again in enumerate(trials):
            if again.kind == "repeat":
                first = next(
                    i for i, t in enumerate(trials)
                    if (t.kind, t.question, t.item, t.left, t.right)
                    == ("main", again.question, again.item, again.right, again.left)
                )  # fmt: skip
                assert place - first > GAP


def test_the_least_filled_pairs_come_first():
    filled = {pair: 5 for pair in PAIRS} | {pair: 1 for pair in PAIRS[4:9]}
    chosen = {MethodPair(t.item, *sorted((t.left, t.right))) for t in planned(3, filled, quota=5) if t.kind == "main"}
    assert chosen == set(PAIRS[4:9])


def test_pairs_fill_evenly_with_quotas(sqlite, make, unhurried):
    study = make(sqlite, quota=2, questions=["realism"], repeats=0, identical=0, broken=0, training=0)
    for _ in range(9):  # 18 answers over 6 pairs
        finish(sqlite, study, enter(sqlite, study))
        with sqlite.read() as connection:
            judged = people.judged(connection, studies.load(connection, study))
        assert max(judged.values()) - min(judged.values()) <= 1
    assert set(judged.values()) == {3}


def test_who_is_answering_holds_a_place_and_who_left_long_ago_does_not(sqlite, make):
    from sqlalchemy import update

    from asccl.study.schema import participants

    study = make(sqlite)
    enter(sqlite, study)
    with sqlite.write() as connection:
        found = studies.load(connection, study)
        assert set(people.filled(connection, found).values()) == {3}
        connection.execute(update(participants).values(seen_at="2020-01-01T00:00:00.000+00:00"))
        assert set(people.filled(connection, found).values()) == {0}


# plans


def test_a_plan_survives_json_and_its_sha256_names_it():
    plan = from_dict({"title": "t", "questions": ["mouth"], "rules": {"agreement": 0.5}, "texts": {"next": "Go"}})
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.sha256() != from_dict({"title": "u"}).sha256()
    assert plan.words()["next"] == "Go" and plan.questions[0].show == ("source",)


def test_a_plan_file(tmp_path: Path):
    (tmp_path / "study.toml").write_text(
        'title = "Gaze"\ncloses = 2030-01-01T12:00:00+02:00\ncannot_tell = true\n'
        '[[questions]]\nid = "gaze"\ntext = "Where does she look at you?"\nshow = ["source"]\n'
    )
    plan = read_plan(tmp_path / "study.toml", title=None)
    assert plan.closes == "2030-01-01T10:00:00+00:00"
    assert [(q.id, q.title, q.show) for q in plan.questions] == [("gaze", "Gaze", ("source",))]
    assert read_plan(tmp_path / "study.toml", title="Other").title == "Other"


@pytest.mark.parametrize(
    "told, message",
    [
        ({}, "no title"),
        ({"title": "t", "quota": 0}, "quota"),
        ({"title": "t", "repeats": -1}, "repeats"),
        ({"title": "t", "repeats": True}, "repeats"),
        ({"title": "t", "play": "backwards"}, "play"),
        ({"title": "t", "language": "../de"}, "language"),
        ({"title": "t", "closes": "soon"}, "closes"),
        ({"title": "t", "questions": ["beauty"]}, "beauty"),
        ({"title": "t", "questions": [{"id": "A b", "text": "?"}]}, "A b"),
        ({"title": "t", "questions": [{"id": "a", "text": "?", "show": ["method"]}]}, "method"),
        ({"title": "t", "questions": ["mouth", "mouth"]}, "same id"),
        ({"title": "t", "rules": {"mood": 1}}, "mood"),
        ({"title": "t", "texts": {"nxt": "Go"}}, "nxt"),
        ({"title": "t", "consent": "x" * 20_001}, "characters"),
        ({"title": "t", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line(told, message):
    with pytest.raises(SettingError, match=message) as caught:
        from_dict(told)
    assert "\n" not in str(caught.value)


def test_every_language_has_every_text_and_every_name_in_braces():
    assert set(LANGUAGES) >= {"en", "de"}
    english = _read("en")
    for language in LANGUAGES:
        own = _read(language)
        assert own.keys() == english.keys()
        assert all(("{" in own[name]) == ("{" in english[name]) for name in own)


# clips and manifests


def test_a_folder_is_read(clips: Path):
    items = read_items(clips)
    assert [item.name for item in items] == ["happy-0", "happy-1", "happy-2", "sad-0", "sad-1", "sad-2"]
    assert {item.emotion for item in items} == {"happy", "sad"}
    assert all(set(item.outputs) == {"NED", "ASCCL"} and item.source and item.reference for item in items)


def test_both_manifests_are_read_and_speak_our_words(clips: Path):
    row = {
        "item": "one", "emotion": "sad", "setting": "Inter-ID", "source": "sad-0/source.mp4", "reference": "",
        "NED": "sad-0/NED.mp4", "ours": "sad-0/ASCCL.mp4",
    }  # fmt: skip
    lines, table = clips / "m.jsonl", clips / "m.csv"
    lines.write_text(json.dumps(row) + "\n")
    table.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    try:
        for path in (lines, table):
            (item,) = read_items(path)
            assert (item.name, item.emotion, item.setting, item.reference) == ("one", "sad", "intra-ID", None)
            assert set(item.outputs) == {"NED", "ours"}
    finally:
        lines.unlink()
        table.unlink()


@pytest.mark.parametrize(
    "row, message",
    [
        ({"A": "sad-0/NED.mp4"}, "fewer than two"),
        ({"A": "sad-0/NED.mp4", "B": "gone.mp4"}, "is not in"),
        ({"A": "sad-0/NED.mp4", "B": "../../../../../../etc/passwd"}, "leads out|is not in"),
        ({"A": "sad-0/NED.mp4", "B": "/etc/passwd"}, "leads out"),
        ({"A": "sad-0/NED.mp4", "B": "link/out.mp4"}, "leads out"),
        ({"A": "sad-0/NED.mp4", "B": "sad-0/ASCCL.mp4", "emotion": "bored"}, "bored"),
        ({"A": "sad-0/NED.mp4", "B": "sad-0/ASCCL.mp4", "setting": "both"}, "both"),
        ({"A": "sad-0/NED.mp4", "=1+1": "sad-0/ASCCL.mp4"}, "spreadsheet"),
        ({"A": "sad-0/NED.mp4", "B": "x\0y.mp4"}, "is not in"),
        ({"A": "sad-0/NED.mp4", "B": 7}, "no text"),
    ],
)
def test_a_wrong_manifest_is_refused(clips: Path, tmp_path: Path, row, message):
    import shutil

    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "out.mp4").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "m.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=message):
        read_items(folder / "m.jsonl")


def test_nothing_in_a_file_tells_the_method(clips: Path, tmp_path: Path):
    import av

    told = tmp_path / "NED.mp4"
    with av.open(str(clips / "sad-0" / "NED.mp4")) as source, av.open(str(told), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        out.metadata.update({"comment": "Edited with NED", "title": "NED"})
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    assert b"NED" in told.read_bytes() and b"x264 - core" in told.read_bytes()
    ingest(told, tmp_path / "clean.mp4")
    clean = (tmp_path / "clean.mp4").read_bytes()
    assert b"NED" not in clean and b"x264" not in clean and NO_SEI
    with av.open(str(tmp_path / "clean.mp4")) as file:
        assert not {"comment", "title", "encoder"} & {key.lower() for key in file.metadata}
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    with av.open(str(told)) as file:
        before = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == len(before) and all((a == b).all() for a, b in zip(frames, before, strict=True))
    assert (tmp_path / "clean.mp4").stat().st_mtime == 1_000_000_000


def test_what_no_browser_plays_is_encoded_anew(tmp_path: Path, clips: Path):
    import av

    odd = tmp_path / "odd.avi"
    with av.open(str(odd), "w") as out:
        stream = out.add_stream("mjpeg", 12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for shade in range(6):
            frame = av.VideoFrame(64, 48, "yuvj420p")
            for plane in frame.planes:
                plane.update(bytes([40 * shade]) * plane.buffer_size)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    measured = ingest(odd, tmp_path / "out.mp4")
    assert (measured.width, measured.height) == (64, 48) and 0.4 < measured.seconds < 0.6
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[0].codec_context.name == "h264"


def test_a_study_that_fails_leaves_nothing(sqlite: Store, clips: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (folder / "sad-2" / "NED.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"NED\.mp4"):
        studies.create(sqlite, from_dict({"title": "t"}), read_items(folder))
    assert list((sqlite.folder / "clips").iterdir()) == []
    (folder / "sad-2" / "reference.mp4").unlink()
    shutil.copy(folder / "sad-1" / "NED.mp4", folder / "sad-2" / "NED.mp4")
    with pytest.raises(InputError, match="sad-2 has none"):
        studies.create(sqlite, from_dict({"title": "t"}), read_items(folder))


def test_the_catch_is_broken_and_everything_has_a_name_of_chance(sqlite, make):
    study = make(sqlite)
    names = [path.name for path in (sqlite.folder / "clips" / study).iterdir()]
    assert len(names) == 6 * len(COLOURS) + 6
    assert not any(method.lower() in name.lower() for name in names for method in ("NED", "ASCCL", "broken"))
    assert read_votes(sqlite, study) == []


# edits


def test_clips_made_by_editing(clips: Path, tmp_path: Path, sqlite: Store):
    import shutil

    class Editor:
        def edit(self, request):
            shutil.copy(request.source, request.output)

    shutil.copy(clips / "happy-0" / "reference.mp4", tmp_path / "happy.mp4")
    methods = [parse_method("mild = warp@0.5"), parse_method("full=warp")]
    references = references_in([tmp_path / "happy.mp4"])
    make_edits(Editor(), [clips / "sad-0" / "source.mp4"], ["happy"], methods, tmp_path / "made", references)
    (item,) = read_items(tmp_path / "made")
    assert (item.emotion, set(item.outputs)) == ("happy", {"mild", "full"}) and item.reference
    assert studies.create(sqlite, from_dict({"title": "t"}), [item])[1] == []


@pytest.mark.parametrize("text", ["", "mild", "x = gan", "x=warp@9", "x=warp@.", "a/b=warp", "source=warp"])
def test_a_wrong_method_is_refused(text):
    with pytest.raises(SettingError):
        parse_method(text)
