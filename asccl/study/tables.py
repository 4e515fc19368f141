"""Results as people read them: the paper's Table 3 with what it lacks, in Markdown and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
CAPTION = (
    "Preferences in per cent of decided answers. In brackets the 95 % interval, clustered over participants and clips. "
    "* marks p < 0.05 after Holm's correction, by the exact binomial test and by the clustered test both."
)


def pairs(found: dict[str, Any]) -> list[tuple[str, str]]:
    return list(combinations(sorted(found["methods"]), 2))


def rows_of(reading: dict[str, Any], first: str, second: str) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """(label, question -> row) in the order of the paper's table: emotions, settings, all together."""
    chosen = [row for row in reading["comparisons"] if (row["first"], row["second"]) == (first, second)]
    labels = dict.fromkeys((row["group"], row["value"]) for row in chosen)
    for group, value in labels:
        label = "All" if group == "all" else value[:1].upper() + value[1:]
        yield label, {r["question"]: r for r in chosen if (r["group"], r["value"]) == (group, value)}


def significant(row: dict[str, Any]) -> bool:
    """After correction, whichever test one believes."""
    held = [row["p_holm"], row["clustered"]["p_holm"] if row["clustered"] else None]
    return all(p is not None and p < 0.05 for p in held)


def percent(row: dict[str, Any]) -> tuple[str, str]:
    """72 % for the first and 28 % for the second method, with the mark of significance on the winner."""
    if row["rate"] is None:
        return "–", "–"
    mark = "*" if significant(row) else ""
    first = row["rate"] >= 0.5
    return f"{100 * row['rate']:.0f}%{mark if first else ''}", f"{100 - 100 * row['rate']:.0f}%{'' if first else mark}"


def interval(row: dict[str, Any]) -> str:
    """Of the first method's rate; clustered where it can be, else Wilson's."""
    if row["rate"] is None:
        return ""
    low, high = (row["clustered"]["low"], row["clustered"]["high"]) if row["clustered"] else row["wilson"]
    return f"[{100 * low:.0f}, {100 * high:.0f}]"


def markdown(found: dict[str, Any]) -> str:
    """The whole report."""
    lines = [f"# {_cell(found['title'])}", "", *_people(found), ""]
    for name, heading in (("kept", "Without the excluded"), ("all", "Everybody")):
        if name == "kept" and not found["excluded"]:
            continue
        lines += [f"## {heading}: {found[name]['people']} people, {found[name]['votes']} answers", ""]
        for first, second in pairs(found):
            lines += _markdown_table(found, found[name], first, second)
        lines += _markdown_details(found, found[name])
    return "\n".join([*lines, f"*{CAPTION}*".replace("* marks", r"\* marks"), ""])


def _people(found: dict[str, Any]) -> list[str]:
    rules = ", ".join(f"{key} {value}" for key, value in found["rules"].items() if value is not None) or "none"
    people = ", ".join(f"{count} {what}" for what, count in found.get("participants", {}).items())
    excluded = len(found["excluded"])
    return [f"Participants: {people or 'unknown'}. Rules fixed beforehand: {rules}; they leave out {excluded}."]


def _markdown_table(found: dict[str, Any], reading: dict[str, Any], first: str, second: str) -> list[str]:
    one, two = _cell(first), _cell(second)
    heads = [f"{_cell(title)}: {one} | {two} | 95 % | n" for title in found["questions"].values()]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---:|" * (4 * len(heads))]
    for label, by_question in rows_of(reading, first, second):
        cells = []
        for question in found["questions"]:
            row = by_question[question]
            cells += [*percent(row), interval(row), str(row["count"])]
        lines.append(f"| {label} | " + " | ".join(cells).replace("*", r"\*") + " |")
    return [*lines, ""]


def _markdown_details(found: dict[str, Any], reading: dict[str, Any]) -> list[str]:
    side, again, catch = reading["side"], reading["self_agreement"], reading["catches"]
    lines = [
        f"- Left side chosen: {_share(side)}" + (f", p = {side['p']:.3g}" if side["p"] is not None else ""),
        f"- Repeats answered as before: {_share(again)}",
        f"- Broken clip preferred: {_share(catch['broken'])}",
        f"- A side taken between identical clips: {_share(catch['identical'])}",
    ]
    for question, title in found["questions"].items():
        alpha, seconds = reading["agreement"][question]["alpha"], reading["seconds"][question]
        parts = [f"Krippendorff's alpha {alpha:.2f}" if alpha is not None else "alpha not defined"]
        if seconds:
            parts.append(f"median {seconds[1]:.1f} s an answer (quartiles {seconds[0]:.1f} and {seconds[2]:.1f})")
        parts += [_more(row, found["half_width"]) for row in _overall(reading, question)]
        parts += [
            f"{_cell(row['method'])} {row['strength']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
            for row in reading["bradley_terry"].get(question, [])
        ]
        lines.append(f"- {_cell(title)}: " + "; ".join(parts))
    return [*lines, ""]


def _more(row: dict[str, Any], half_width: float) -> str:
    if row["more"] is None:
        return "no answers yet"
    pair = f"{_cell(row['first'])} against {_cell(row['second'])}"
    return f"{pair}: {row['more']} more answers for ±{100 * half_width:g} points"


def _overall(reading: dict[str, Any], question: str) -> list[dict[str, Any]]:
    return [row for row in reading["comparisons"] if row["question"] == question and row["group"] == "all"]


def _share(told: dict[str, Any]) -> str:
    if not told["count"]:
        return "not asked"
    low, high = told["wilson"]
    return f"{told['wins']} of {told['count']} ({100 * told['rate']:.0f}%, 95 % {100 * low:.0f} to {100 * high:.0f})"


def latex(found: dict[str, Any], name: str = "kept") -> str:
    """One table for each pair of methods, in the form of the paper's Table 3. Needs only standard LaTeX."""
    questions = list(found["questions"].items())
    out = []
    for first, second in pairs(found):
        heads = [rf"\multicolumn{{2}}{{c}}{{{_tex(title)}}}" for _, title in questions]
        lines = [
            r"\begin{table}", r"\centering", r"\begin{tabular}{l" + "rr" * len(questions) + "}", r"\hline",
            " & ".join(["Emotion", *heads]) + r" \\",
            " & ".join(["", *[f"{_tex(first)} & {_tex(second)}"] * len(questions)]) + r" \\", r"\hline",
        ]  # fmt: skip
        for label, by_question in rows_of(found[name], first, second):
            cells = [_tex(label)]
            for question, _ in questions:
                one, two = percent(by_question[question])
                where = interval(by_question[question])
                cells += [_tex(one).replace("*", "$^*$") + (rf" {{\scriptsize {where}}}" if where else "")]
                cells += [_tex(two).replace("*", "$^*$")]
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\hline", r"\end{tabular}", rf"\caption{{{_tex(CAPTION).replace('*', '$^*$', 1)}}}", r"\end{table}"]
        out.append("\n".join(lines))
    return "\n\n".join(out) + "\n"


def _tex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in _plain(text)).replace("–", "--")


def _cell(text: str) -> str:
    """For Markdown: no letter of it means anything."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", _plain(text))


def _plain(text: str) -> str:
    return " ".join(text.split())
