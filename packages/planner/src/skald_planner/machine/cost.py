"""What a run costs: operations, device hours, energy, days, and the proxy sweep's share of it.

Pure arithmetic over `skald_specs.machines` and the memory model. Measures nothing: a machine's
utilisation is assumed, and holds while the run computes; queues, failures and restarts come on top.
"""

from __future__ import annotations

from skald_mup.counts import flops_per_token
from skald_specs.machines import MACHINES, Machine
from skald_specs.outlook import Cost, SiteCost
from skald_specs.plan import Plan
from skald_specs.recipe import Budget, Recipe
from skald_specs.shape import ModelShape

from skald_planner.machine.memory import RankMemory
from skald_planner.machine.memory_states import Setting
from skald_planner.machine.memory_table import GIB, layouts_on, leanest_on
from skald_planner.plans.proxy import sister
from skald_planner.plans.schedule import plan_schedule

#: A run is given the fewest nodes, in powers of two, on which it takes no longer. Standing: assumed.
TARGET_DAYS = 60.0
SECONDS_PER_HOUR, HOURS_PER_DAY = 3600.0, 24.0


def training_flops(shape: ModelShape, tokens: int) -> float:
    """Return the operations of training on so many tokens; see `skald_mup.counts.flops_per_token`.

    Args:
        shape: The model; its context length counts, as attention grows with it.
        tokens: Tokens trained on, each time anew where a text is repeated.

    Returns:
        Floating-point operations, forward and backward.
    """
    return float(flops_per_token(shape) * tokens)


def device_hours(flops: float, machine: Machine) -> float:
    """Return how many hours one device of a machine computes.

    Args:
        flops: Floating-point operations.
        machine: Its peak and expected utilisation.

    Standing: derived from an assumed utilisation.
    """
    return flops / (machine.peak_tflops * 1e12 * machine.mfu) / SECONDS_PER_HOUR


def energy_mwh(hours: float, machine: Machine) -> float:
    """Return the energy of device hours at the boards' limit, MWh.

    Host processors that are not on the board, network and cooling (PUE) are left out.

    Args:
        hours: Device hours.
        machine: Where.
    """
    return hours * machine.device_watts / 1e6


def trained_tokens(source: Plan | Recipe) -> int:
    """Return the tokens that are trained on: whole batches of the horizon."""
    if isinstance(source, Plan):
        it = source.identity
        return it.schedule.n_steps.value * it.global_batch_tokens.value
    batch = source.budget.global_batch_tokens
    return source.budget.horizon_tokens // batch * batch


def sweep_flops(recipe: Recipe) -> float | None:
    """Return the operations of a recipe's sweep; None without a `sweep` block.

    Runs that differ in the horizon alone and warm up over the same steps share everything before
    their decays, which is trained once, as the sweep does.

    Args:
        recipe: The recipe; its runs may have other widths and batches.

    Raises:
        UserInputError: A width of the sweep does not divide into heads.
    """
    if recipe.sweep is None:
        return None
    total = 0.0
    for run in recipe.sweep.runs(recipe.model.d_model, recipe.budget.global_batch_tokens):
        shape = sister(recipe, run.width or recipe.model.d_model)
        batch = run.global_batch_tokens or recipe.budget.global_batch_tokens
        steps = shared_steps(recipe, batch)
        total += training_flops(shape, steps * batch)
    return total


def shared_steps(recipe: Recipe, global_batch_tokens: int) -> int:
    """Return the steps that a sweep's runs of all horizons take together, common trunks once.

    Args:
        recipe: One with a sweep; where its weight decay follows the horizon, nothing is shared.
        global_batch_tokens: Their batch.
    """
    schedule = recipe.schedule
    horizons_tokens = () if recipe.sweep is None else recipe.sweep.horizons_tokens
    if recipe.parametrisation.weight_decay == "horizon":
        return sum(horizon // global_batch_tokens for horizon in horizons_tokens)
    trunk: dict[int, int] = {}
    decays = 0
    for horizon in horizons_tokens:
        budget = Budget(horizon_tokens=horizon, global_batch_tokens=global_batch_tokens)
        planned = plan_schedule(schedule, budget)
        warmup, decay = planned.warmup_steps.value, planned.decay_steps.value
        trunk[warmup] = max(trunk.get(warmup, 0), planned.n_steps.value - decay)
        decays += decay
    return sum(trunk.values()) + decays


def site_cost(
    setting: Setting, flops: float, machine: Machine, nodes: int | None = None
) -> SiteCost:
    """Return what a run costs on one machine.

    Args:
        setting: What its memory depends on.
        flops: Its operations.
        machine: The machine.
        nodes: How many; None: the fewest, in powers of two, on which it ends within `TARGET_DAYS` in
            a layout that fits, or the most on which one fits.

    Returns:
        The cost. Without a layout that fits it still says hours and days, and the note why.
    """
    hours = device_hours(flops, machine)
    chosen, found = (
        _enough_nodes(setting, hours, machine)
        if nodes is None
        else (nodes, _leanest(setting, machine, nodes))
    )
    n_devices = chosen * machine.devices_per_node
    days = hours / n_devices / HOURS_PER_DAY
    notes = []
    if found is None:
        divides = any(layouts_on(setting, n_devices, machine.devices_per_node))
        notes.append("no layout fits" if divides else "batch does not divide")
    else:
        run = found[0].execution
        notes += ["zero"] * run.zero_stage + ["ckpt"] * run.activation_checkpointing
        notes.append(f"mbs {run.micro_batch_sequences}")
    if chosen > machine.n_nodes:
        notes.append(f"has {machine.n_nodes} nodes")
    elif nodes is None and days > TARGET_DAYS:
        notes.append("more do not fit")
    return SiteCost(
        site=machine.name,
        device=machine.device,
        nodes=chosen,
        n_devices=n_devices,
        mfu=machine.mfu,
        layout=None if found is None else (run.dp, run.tp, run.pp),
        memory_gib=None if found is None else found[1].peak_bytes / GIB,
        gpu_hours=hours,
        days=days,
        energy_mwh=energy_mwh(hours, machine),
        note=", ".join(notes),
    )


def _leanest(setting: Setting, machine: Machine, nodes: int) -> tuple[Setting, RankMemory] | None:
    a_node = machine.devices_per_node
    return leanest_on(setting, nodes * a_node, machine.memory_gib, a_node)


def _enough_nodes(
    setting: Setting, hours: float, machine: Machine
) -> tuple[int, tuple[Setting, RankMemory] | None]:
    """Return the nodes that `site_cost` chooses, and the layout on them."""
    sizes = [1 << exponent for exponent in range(machine.n_nodes.bit_length())]
    needed = hours / (TARGET_DAYS * HOURS_PER_DAY) / machine.devices_per_node
    enough = [nodes for nodes in sizes if nodes >= needed] or sizes[-1:]
    fewer = [nodes for nodes in reversed(sizes) if nodes < enough[0]]
    for nodes in (*enough, *fewer):
        if found := _leanest(setting, machine, nodes):
            return nodes, found
    return enough[0], None


def cost_of(source: Plan | Recipe, sweep: Recipe | None, nodes: int | None = None) -> Cost:
    """Return the cost of a run: operations, the sweep's share, and the known machines.

    Args:
        source: A plan, or a recipe, which needs neither corpus nor fit for this.
        sweep: The recipe whose sweep found its learning rate, often the same one; None: none did.
        nodes: See `site_cost`.

    Returns:
        The cost; machines for bf16 runs only, since the table has no other peaks.
    """
    setting = Setting.of(source)
    flops = training_flops(setting.shape, trained_tokens(source))
    swept = None if sweep is None else sweep_flops(sweep)
    machines = MACHINES if setting.mixed else ()
    return Cost(
        training_flops=flops,
        sweep_flops=swept,
        sweep_share=None if swept is None else swept / flops,
        sites=tuple(site_cost(setting, flops, machine, nodes) for machine in machines),
    )
