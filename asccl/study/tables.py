"""Tables of results in Markdown and LaTeX: the paper's Table 3 with intervals, tests and checks added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

SIGNIFICANCE_LEVEL = 0.05
LATEX_ESCAPES = {
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
CAPTION = (
    "Preferences in percent of decided answers. In brackets the 95 % interval, clustered over participants and clips. "
    "* marks p < 0.05 by the clustered test after Holm's correction."
)


def compared_methods(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Return every pair of methods, in alphabetical order."""
    return list(combinations(sorted(results["methods"]), 2))


def table_rows(summary: dict[str, Any], first: str, second: str) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Yield (label, question -> comparison) in the order of the paper's table: emotions, settings, all together.

    Args:
        summary: of `results.summarize_votes`.
        first: a method.
        second: the method it is compared with, later in the alphabet.
    """
    rows = [row for row in summary["comparisons"] if (row["first"], row["second"]) == (first, second)]
    for label in dict.fromkeys(map(format_group, rows)):
        yield label, {row["question"]: row for row in rows if format_group(row) == label}


def format_group(row: dict[str, Any]) -> str:
    """Return the label of a comparison's group: an emotion, a setting, or all answers."""
    return "All" if row["group"] == "all" else row["value"][:1].upper() + row["value"][1:]


def is_rate_significant(row: dict[str, Any]) -> bool:
    """Return whether the clustered p-value is below 0.05 after Holm's adjustment."""
    return row["clustered"] is not None and row["clustered"]["p_holm"] < SIGNIFICANCE_LEVEL


def format_rates(row: dict[str, Any]) -> tuple[str, str]:
    """Return the rates of the first and the second method; a significant winner is marked with a star."""
    if row["rate"] is None:
        return "–", "–"
    star = "*" if is_rate_significant(row) else ""
    first_wins = row["rate"] >= 0.5
    first, second = f"{100 * row['rate']:.0f}%", f"{100 - 100 * row['rate']:.0f}%"
    return (first + star, second) if first_wins else (first, second + star)


def best_interval(row: dict[str, Any]) -> tuple[float, float]:
    """Return the interval of the first method's rate: clustered where it is defined, otherwise Wilson's."""
    low, high = (row["clustered"]["low"], row["clustered"]["high"]) if row["clustered"] else row["wilson"]
    return low, high


def format_rate_interval(row: dict[str, Any]) -> str:
    """Return the interval of the first method's rate in percent; empty without answers."""
    if row["rate"] is None:
        return ""
    low, high = best_interval(row)
    return f"[{100 * low:.0f}, {100 * high:.0f}]"


def format_range(low: int, high: int) -> str:
    """Return "4" where both numbers are 4, otherwise "3 to 4"."""
    return str(low) if low == high else f"{low} to {high}"


def markdown_report(results: dict[str, Any]) -> str:
    """Return the complete report: tables and details, without and with excluded participants."""
    lines = [f"# {_escape_markdown(results['title'])}", "", _participants_line(results), ""]
    for name, heading in (("kept", "Without excluded participants"), ("all", "All participants")):
        summary = results[name]
        if name == "kept" and not results["excluded"]:
            continue
        lines += [f"## {heading}: {summary['people']} people, {summary['votes']} answers", ""]
        for first, second in compared_methods(results):
            lines += _markdown_table(results, summary, first, second)
        lines += _markdown_details(results, summary)
    return "\n".join([*lines, f"*{CAPTION}*".replace("* marks", r"\* marks"), ""])


def _participants_line(results: dict[str, Any]) -> str:
    rules = ", ".join(f"{key} {value}" for key, value in results["rules"].items() if value is not None) or "none"
    participants = ", ".join(f"{count} {stage}" for stage, count in results.get("participants", {}).items())
    excluded = len(results["excluded"])
    return f"Participants: {participants or 'unknown'}. Exclusion rules of the plan: {rules}; they exclude {excluded}."


def _markdown_table(results: dict[str, Any], summary: dict[str, Any], first: str, second: str) -> list[str]:
    one, two = _escape_markdown(first), _escape_markdown(second)
    headings = [f"{_escape_markdown(title)}: {one} | {two} | 95 % | n" for title in results["questions"].values()]
    lines = [f"| | {' | '.join(headings)} |", "|---|" + "---:|" * (4 * len(headings))]
    for label, by_question in table_rows(summary, first, second):
        cells = []
        for question in results["questions"]:
            row = by_question[question]
            cells += [*format_rates(row), format_rate_interval(row), str(row["count"])]
        lines.append(f"| {label} | " + " | ".join(cells).replace("*", r"\*") + " |")
    return [*lines, ""]


def _markdown_details(results: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    side, catch_trials = summary["side"], summary["catches"]
    lines = [
        f"- Left side chosen: {_format_proportion(side)}" + (f", p = {side['p']:.3g}" if side["p"] is not None else ""),
        f"- Repeats answered as before: {_format_proportion(summary['self_agreement'])}",
        f"- Broken clip preferred: {_format_proportion(catch_trials['broken'])}",
        f"- A side chosen between identical clips: {_format_proportion(catch_trials['identical'])}",
    ]
    for question, title in results["questions"].items():
        alpha, seconds = summary["agreement"][question]["alpha"], summary["seconds"][question]
        parts = [f"Krippendorff's alpha {alpha:.2f}" if alpha is not None else "alpha not defined"]
        ratings = [
            f"{_escape_markdown(row['first'])} against {_escape_markdown(row['second'])}: difference rated "
            f"{row['rating']:.2f} of {results['rating']}"
            for row in summary["comparisons"]
            if row["question"] == question and row["group"] == "all" and row["rating"] is not None
        ]
        parts += ratings
        if seconds:
            parts.append(f"median {seconds[1]:.1f} s an answer (quartiles {seconds[0]:.1f} and {seconds[2]:.1f})")
        parts += [
            _format_additional_answers(row, results["half_width"])
            for row in summary["comparisons"]
            if row["question"] == question and row["group"] == "all"
        ]
        parts += [
            f"{_escape_markdown(row['method'])} {row['strength']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
            for row in summary["bradley_terry"].get(question, [])
        ]
        lines.append(f"- {_escape_markdown(title)}: " + "; ".join(parts))
    return [*lines, ""]


def _format_additional_answers(row: dict[str, Any], half_width: float) -> str:
    if row["more"] is None:
        return "no answers yet"
    pair = f"{_escape_markdown(row['first'])} against {_escape_markdown(row['second'])}"
    return f"{pair}: {row['more']} more answers for ±{100 * half_width:g} points"


def _format_proportion(share: dict[str, Any]) -> str:
    if not share["count"]:
        return "not asked"
    low, high = share["wilson"]
    return f"{share['wins']} of {share['count']} ({100 * share['rate']:.0f}%, 95 % {100 * low:.0f} to {100 * high:.0f})"


def latex_tables(results: dict[str, Any], summary: str = "kept") -> str:
    """Return one table for each pair of methods, in the form of the paper's Table 3. Needs only standard LaTeX.

    Args:
        results: of `results.compute_results`.
        summary: "all" or "kept".
    """
    tables = [_latex_table(results, summary, first, second) for first, second in compared_methods(results)]
    return "\n\n".join(tables) + "\n"


def _latex_table(results: dict[str, Any], summary: str, first: str, second: str) -> str:
    questions = results["questions"]
    headings = [rf"\multicolumn{{2}}{{c}}{{{_escape_latex(title)}}}" for title in questions.values()]
    columns = [f"{_escape_latex(first)} & {_escape_latex(second)}"] * len(questions)
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\begin{tabular}{l" + "rr" * len(questions) + "}",
        r"\hline",
        " & ".join(["Emotion", *headings]) + r" \\",
        " & ".join(["", *columns]) + r" \\",
        r"\hline",
    ]
    for label, by_question in table_rows(results[summary], first, second):
        cells = [_escape_latex(label)]
        for question in questions:
            one, two = (_escape_latex(rate).replace("*", "$^*$") for rate in format_rates(by_question[question]))
            interval = format_rate_interval(by_question[question])
            cells += [one + (rf" {{\scriptsize {interval}}}" if interval else ""), two]
        lines.append(" & ".join(cells) + r" \\")
    caption = _escape_latex(CAPTION).replace("*", "$^*$", 1)
    return "\n".join([*lines, r"\hline", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}"])


def _escape_latex(text: str) -> str:
    return "".join(LATEX_ESCAPES.get(letter, letter) for letter in _one_line(text)).replace("–", "--")


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
