"""docs/claims.md: a section for each proof and benchmark, a row with an anchor for each measure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from _claims import Claim, Script, anchor, partial_key
from skald_report.tables.evidence import FAILS, HOLDS, NO_BOUND, UNKNOWN, typeset, verdict
from skald_specs.circumstances import Circumstances
from skald_specs.claims import Measure

_HEAD = """\
# What Skald claims, and what was measured

Written by `nox -s claims` from [claims.json](claims.json); change neither by hand.

{state}

**To repeat it.** `nox -s all` runs everything on a fresh clone, and `nox -s all -- --plan` says in how many
minutes. One proof is `nox -s prove -- NAME`, one benchmark `nox -s bench -- NAME`; either prints these rows, leaves
them in `build/proofs/NAME.json` or `build/bench/NAME.json` and exits with 1 when one does not hold. `nox -s claims`
then writes this page. A run of less than what is claimed stands in a section of its own, "in part", with what
it was asked for.

**What the words mean.** A row *holds* when its figure lies within its bound, which stands in the script; where
a section names a commit, in that one. *No bound*: told, not judged. *Not measured*: the machine lacks what it takes (a GPU, a
browser, real text, another program); the script then fails unless it is called with `--allow-missing`. "Planted"
and "must" rows are negations: they show that the check fails where it should. Speeds are ratios to a peer that
ran in the same minutes; seconds are CPU seconds where the machine was busy.
"""
_WORDS = {HOLDS: "holds", FAILS: "**does not hold**", UNKNOWN: "not measured", NO_BOUND: "no bound"}


def page(claims: Sequence[Claim], scripts: Sequence[Script]) -> str:
    """Return the page.

    Args:
        claims: What was measured.
        scripts: All there is to measure, in reading order; what has no claim is said to have none.
    """
    found = {claim.key: claim for claim in claims}
    parts = [_HEAD.format(state=_state(claims, scripts)), _overview(found, scripts)]
    parts += [_exceptions(claims, [script for script in scripts if script.key not in found])]
    for script in scripts:
        parts.append(_section(script, found.get(script.key)))
        if partial := found.get(partial_key(script.key)):
            parts.append(_partial_section(script, partial))
    return "\n".join(parts)


def _state(claims: Sequence[Claim], scripts: Sequence[Script]) -> str:
    rows = Counter(verdict(m) for claim in claims for m in claim.measures)
    told = [
        f"Of {sum(rows.values())} rows **{rows[HOLDS]} hold**",
        f"{rows[FAILS]} do{'es' * (rows[FAILS] == 1)} not",
        f"{rows[UNKNOWN]} could not be measured",
        f"{rows[NO_BOUND]} are told without a bound",
    ]
    whole = sum(not claim.partial for claim in claims)
    lines = [f"{', '.join(told)}; {whole} of {len(scripts)} scripts have figures."]
    if partial := [claim for claim in claims if claim.partial]:
        names = ", ".join(f"[{claim.verb} {claim.name}](#{claim.key})" for claim in partial)
        lines.append(
            f"{sum(len(c.measures) for c in partial)} rows are of less than what is claimed: {names}."
        )
    runs = [claim.run for claim in claims]
    commits = {run.git_commit for run in runs if run is not None}
    if None in runs or len(commits) != 1:
        lines.append(
            "The figures are **not of one run**: each section says of which commit and day its own are, "
            f"but {runs.count(None)} of runs that did not write it down."
        )
    else:
        lines.append(f"All are of commit {commits.pop()[:10]}.")
    machines = {_machine(run) for run in runs if run is not None}
    if len(machines) == 1:
        lines.append(f"The machine, where it was written down: {machines.pop()}.")
    if lacking := len(scripts) - len(claims):
        lines.append(f"What {lacking} scripts claim stands in no row, and may not hold.")
    return " ".join(lines)


def _machine(run: Circumstances) -> str:
    parts = [
        run.cpu, f"{run.cores} cores", f"{run.memory_gb:.0f} GB", ", ".join(run.gpus) or "no GPU",
        run.system, f"Python {run.python}",
        *(f"{name} {version}" for name, version in sorted(run.libraries.items())),
    ]  # fmt: skip
    return ", ".join(parts)


def _overview(found: dict[str, Claim], scripts: Sequence[Script]) -> str:
    lines = [
        "## Overview",
        "",
        "| script | what it shows | holds | does not | not measured | no bound |",
    ]
    lines.append("|---|---|--:|--:|--:|--:|")
    for script in scripts:
        claim, partial = found.get(script.key), found.get(partial_key(script.key))
        lines.append(_overview_row(script, script.key, _cell(script.about), claim))
        if partial:
            lines.append(_overview_row(script, partial.key, f"in part, {_asked(partial)}", partial))
    return "\n".join([*lines, ""])


def _overview_row(script: Script, key: str, about: str, claim: Claim | None) -> str:
    rows = Counter(verdict(m) for m in claim.measures) if claim else Counter[str]()
    counts = [str(rows[word]) if claim else "-" for word in (HOLDS, FAILS, UNKNOWN, NO_BOUND)]
    return f"| [{script.verb} {script.name}](#{key}) | {about} | {' | '.join(counts)} |"


def _exceptions(claims: Sequence[Claim], unmeasured: Sequence[Script]) -> str:
    lines = ["## What does not hold, and what could not be measured", ""]
    for word in (FAILS, UNKNOWN):
        for claim in claims:
            for m in claim.measures:
                if verdict(m) == word:
                    # Not as Markdown's link: the docs site knows no anchor but those of headings there.
                    place = f'<a href="#{anchor(claim.key, m.measure)}">'
                    part = ", in part" if claim.partial else ""
                    row = f"{place}{claim.verb} {claim.name}{part}: {_cell(m.measure)}</a>"
                    detail = f": {_cell(m.detail)}" if m.detail else ""
                    figure = "" if m.value is None else f", {_figure(m)}"
                    lines.append(f"- {_WORDS[word]}: {row}{figure} (bound {_bound(m)}){detail}")
    lines += [
        f"- no figures yet: [{script.verb} {script.name}](#{script.key})" for script in unmeasured
    ]
    return "\n".join([*lines, *(["Nothing."] if len(lines) == 2 else []), ""])


def _section(script: Script, claim: Claim | None) -> str:
    about = f"{script.about[:1].upper()}{script.about[1:]}"
    lines = [f"## {script.key}", "", f"{_cell(about)} `{script.command}`", ""]
    if claim is None:
        return "\n".join([*lines, "No figures yet.", ""])
    return "\n".join([*lines, *_rows(claim)])


def _partial_section(script: Script, claim: Claim) -> str:
    whole = f"[{script.verb} {script.name}](#{script.key})"
    lines = [f"## {claim.key}", "", f"In part, {_asked(claim)}: less than what {whole} claims.", ""]
    return "\n".join([*lines, *_rows(claim)])


def _asked(claim: Claim) -> str:
    return f"run with `{' '.join(claim.asked)}`" if claim.asked else "run without options"


def _rows(claim: Claim) -> list[str]:
    lines = [*_how(claim), "", "| claim | figure | bound | | detail |", "|---|--:|---|---|---|"]
    for m in claim.measures:
        mark = f'<a id="{anchor(claim.key, m.measure)}"></a>{_cell(m.measure)}'
        cells = [mark, _figure(m), _bound(m), _WORDS[verdict(m)], _cell(m.detail)]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _how(claim: Claim) -> Iterator[str]:
    run = claim.run
    if run is None:
        yield "Of an earlier run, whose day and machine were not written down."
        return
    dirty = ", with uncommitted changes" if run.git_dirty else ""
    asked = f" with `{' '.join(run.arguments)}`" if run.arguments else ""
    yield (
        f"{run.date[:16].replace('T', ' ')} UTC{asked}; commit {run.git_commit[:10] or 'unknown'}{dirty}; "
        f"{run.wall_seconds / 60:.1f} minutes, {run.cpu_seconds / 60:.1f} of processors; load before "
        f"{run.load_at_start:g}; {_machine(run)}."
    )


def _figure(m: Measure) -> str:
    return "-" if m.value is None else f"{number(m.value)} {_cell(m.unit)}".strip()


def number(value: float) -> str:
    """Return a number as people write it."""
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return _exponents(f"{value:.2g}")


def _exponents(text: str) -> str:
    return re.sub(r"e([-+])0?(\d)", lambda found: f"e{found[1].strip('+')}{found[2]}", text)


def _bound(m: Measure) -> str:
    return "-" if verdict(m) == NO_BOUND else _cell(_exponents(m.bound))


def _cell(text: str) -> str:
    """Return text that is nothing but text in a cell of a table."""
    pieces = " ".join(typeset(text).split()).replace("|", "\\|").split("`")
    # Every second piece is code where the marks come in pairs; there a backslash would be shown.
    plain = range(0, len(pieces), 2 if len(pieces) % 2 else 1)
    for i in plain:
        pieces[i] = re.sub(r"([*<\[\]_~])", r"\\\1", pieces[i])
    return "`".join(pieces)
