"""What the models cost, in a sentence for the summary; the section on cost has the rest."""

from __future__ import annotations

from collections.abc import Mapping

from skald_report.page.formatting import join, power_of_ten
from skald_report.tables.table import Table

#: Models whose cost is said one by one.
_NAMED = 3


def cost_sentences(tables: Mapping[str, Table]) -> list[str]:
    """Return what training the models took in operations and energy, where it is known.

    Args:
        tables: `models`, and where present `cost`.
    """
    if "cost" not in tables:
        return ["What training cost is not known: no plan of a model was given."]
    evaluated = set(tables["models"].frame["model"])
    frame = tables["cost"].frame
    known = frame[frame["model"].isin(evaluated) & frame["flops_train"].notna()]
    if known.empty:
        return ["What training cost is not known: no plan counts its operations."]
    ordered = known.sort_values("flops_train", kind="stable")
    least, most = ordered.iloc[0], ordered.iloc[-1]
    if len(known) > _NAMED:
        text = (
            f"Training is planned at {power_of_ten(least['flops_train'])} FLOPs "
            f"({least['model']}) to {power_of_ten(most['flops_train'])} FLOPs ({most['model']})"
        )
    else:
        listed = [
            f"{power_of_ten(row['flops_train'])} FLOPs for {row['model']}"
            for row in ordered.to_dict("records")
        ]
        text = f"Training is planned at {join(listed)}"
    if len(known) > 1 and most["flops_train"] > least["flops_train"]:
        text += f", {most['flops_train'] / least['flops_train']:.1f} times as much"
    energy = known["energy_kwh"].dropna()
    if energy.empty:
        return [f"{text}; energy was not measured."]
    of = "all" if len(energy) == len(known) else f"{len(energy)} of {len(known)}"
    return [f"{text}; measured energy of {of} together {energy.sum():.3g} kWh."]
