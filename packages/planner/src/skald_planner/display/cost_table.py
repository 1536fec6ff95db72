"""What a run costs, as text."""

from __future__ import annotations

from skald_specs.outlook import Cost, SiteCost

from skald_planner.display.layout import aligned, amount

_HEADER = (
    "machine",
    "nodes",
    "GPUs",
    "days",
    "GPU-hours",
    "MWh",
    "MFU",
    "dp,tp,pp",
    "GiB",
    "layout",
)


def render_cost(cost: Cost) -> list[str]:
    """Return a cost as lines of at most 100 columns.

    Args:
        cost: See `skald_planner.machine.cost.cost_of`.
    """
    lines = [f"training FLOPs = {cost.training_flops:.4g}"]
    if cost.sweep_flops is not None and cost.sweep_share is not None:
        share = (
            f"{cost.sweep_share:.2%} of" if cost.sweep_share < 1 else f"{cost.sweep_share:.3g} x"
        )
        lines.append(f"sweep FLOPs = {cost.sweep_flops:.4g}, {share} the run's")
    if not cost.sites:
        return lines
    rows = [_HEADER, *(_row(site) for site in cost.sites)]
    return [
        *lines,
        "",
        *aligned(rows, right=range(1, len(_HEADER) - 1)),
        "Hours follow from the MFU, which is assumed and holds while the run computes. GPU: a torch",
        "device, on LUMI half an MI250X. MWh: boards at their limit; hosts, network, cooling left out.",
        "Layout: the leanest that fits GiB (fullest GPU); zero: ZeRO-1, ckpt: activations computed",
        "again, mbs: sequences a micro-batch.",
    ]


def _row(site: SiteCost) -> tuple[str, ...]:
    return (
        site.site, f"{site.nodes:,}", f"{site.n_devices:,}", amount(site.days),
        amount(site.gpu_hours), amount(site.energy_mwh), f"{site.mfu:.2f}",
        "-" if site.layout is None else ",".join(map(str, site.layout)),
        "-" if site.memory_gib is None else f"{site.memory_gib:.1f}",
        site.note,
    )  # fmt: skip
