"""Models measured here against European ones of their class, and beside what others published of them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from skald_report.landscape.measured import (
    NO_GAP,
    NO_INTERVAL,
    NO_LAW,
    NOT_TEXT,
    measured_gaps,
    published_beside,
)
from skald_report.landscape.scores import landscape
from skald_report.reading.inputs import ReportInputs, load
from skald_report.reading.published import Registered
from skald_report.tables.table import Table
from skald_specs.loss_law import losses
from skald_specs.timefit import LossLaw

LAW = LossLaw(
    irreducible=1.0, size_scale=0.0, size_exponent=0.0, horizon_scale=20.0, horizon_exponent=0.3,
    draws=((1.0, 0.0, 0.0, 20.0, 0.3),) * 20, rms_log_error=0.0,
)  # fmt: skip
HORIZON = 1e6
RIVALS = {"eu/near": True, "eu/far": True, "us/best": False, "eu/large": True}


def tables(gap=0.1):
    """Return tables in which the nearest European model leads by `gap` bits per byte."""
    names = ["own", *RIVALS, "control"]
    models = pd.DataFrame({
        "model": names,
        "role": ["baseline", *["external"] * 4, "control"],
        "hub_id": ["", *RIVALS, ""],
        "size_class": ["<1B", "<1B", "<1B", "<1B", "1-4B", "<1B"],
    })  # fmt: skip
    bits = dict(zip(names, (2.0, 2.0 - gap, 2.5, 1.0, 0.5, 8.0), strict=True))
    rows = [
        {"measure": measure, "scope": scope, "model": model,
         "scope_kind": "mean" if scope == "mean" else "language",
         "score": score, "low": score - 0.02, "high": score + 0.02}
        for scope in ("da", "sv", "mean")
        for model in names
        for measure, score in (("text", bits[model]), ("tasks", 1 - bits[model] / 10))
    ]  # fmt: skip
    pairs = [
        {"measure": "text", "model": "eu/near", "reference": "own", "difference": -gap,
         "low": -gap - 0.01, "high": -gap + 0.01, "df": 1e6, "p": 1e-8, "p_holm": 1e-6},
        {"measure": "text", "model": "own", "reference": "us/best", "difference": 1.0,
         "low": 0.9, "high": 1.1, "df": 1e6, "p": 1e-8, "p_holm": 1e-6},
    ]  # fmt: skip
    return {
        "models": Table("models", ("model",), {}, models),
        "overall": Table("overall", ("measure", "scope", "model"), {}, pd.DataFrame(rows)),
        "pairwise": Table("pairwise", ("measure", "model", "reference"), {}, pd.DataFrame(pairs)),
    }


def sources(law=LAW):
    number = SimpleNamespace
    identity = number(
        n_params_non_embedding=number(value=1e5), horizon_tokens=number(value=HORIZON)
    )
    return dataclasses.replace(
        load(ReportInputs()),
        register={name: Registered(eu, 0.5) for name, eu in RIVALS.items()},
        plans={"own": number(identity=identity)},
        fit=number(loss_law=law),
    )


def of(frame, measure, scope):
    found = frame[(frame["measure"] == measure) & (frame["scope"] == scope)]
    assert len(found) == 1
    return found.iloc[0]


def test_the_gap_is_to_the_best_european_model_of_the_class():
    frame = measured_gaps(tables(), sources()).frame
    assert set(frame["best"]) == {"eu/near"}
    language = of(frame, "text", "da")
    assert language["gap"] == pytest.approx(0.1)
    assert (language["verdict"], language["n_rivals"], language["n_family"]) == ("behind", 2, 4)
    together = ndtri(1 - 0.05 / 4 / 2) / ndtri(1 - 0.05 / 2)
    assert language["high"] - language["gap"] == pytest.approx(0.02 * 2**0.5 * together)
    assert language["interval_level"] == 1 - 0.05 / 4
    mean = of(frame, "text", "mean")
    wide = 0.01 * ndtri(1 - 0.05 / 2 / 2) / ndtri(1 - 0.05 / 2)
    assert (mean["gap"], mean["low"], mean["high"]) == pytest.approx(
        (0.1, 0.1 - wide, 0.1 + wide), rel=1e-3
    )
    assert (mean["n_rivals"], mean["interval_level"]) == (2, 1 - 0.05 / 2)


def changed(table, where, **values):
    """Return the tables with other values in some rows of one."""
    frame = tables()[table].frame.copy()
    frame.loc[where(frame), list(values)] = list(values.values())
    return tables() | {table: tables()[table]._replace(frame=frame)}


def test_without_an_interval_there_is_no_verdict_and_no_member_of_the_family():
    def one_cluster(frame):
        return (frame["scope"] == "da") & (frame["model"] == "own") & (frame["measure"] == "text")

    frame = measured_gaps(changed("overall", one_cluster, low=np.nan, high=np.nan), sources()).frame
    untested, tested = of(frame, "text", "da"), of(frame, "text", "sv")
    assert np.isnan(untested[["p_corrected", "low", "high"]].astype(float)).all()
    assert (untested["verdict"], untested["why_no_tokens"]) == ("", NO_INTERVAL)
    assert (tested["verdict"], tested["n_family"]) == ("behind", 2)


def test_rivals_of_the_mean_have_that_mean_and_the_best_mean_wins():
    """Not the largest difference over whatever cells two models share."""
    easy = {"measure": "text", "model": "eu/far", "reference": "own", "difference": -0.9,
            "low": -0.91, "high": -0.89, "df": 1e6, "p": 1e-8, "p_holm": 1e-6}  # fmt: skip
    pairs = pd.concat([tables()["pairwise"].frame, pd.DataFrame([easy])], ignore_index=True)
    shared = {"pairwise": tables()["pairwise"]._replace(frame=pairs)}
    found = of(measured_gaps(tables() | shared, sources()).frame, "text", "mean")
    assert (found["best"], found["best_score"], found["n_rivals"]) == ("eu/near", 1.9, 2)
    overall = tables()["overall"]
    lacks = overall.frame["model"].eq("eu/near") & overall.frame["scope"].eq("mean")
    fewer = {"overall": overall._replace(frame=overall.frame[~lacks])}
    found = of(measured_gaps(tables() | shared | fewer, sources()).frame, "text", "mean")
    assert (found["best"], found["n_rivals"]) == ("eu/far", 1)


def test_one_language_is_no_mean():
    overall = tables()["overall"]
    one = overall.frame[overall.frame["scope"] == "da"]
    frame = measured_gaps(tables() | {"overall": overall._replace(frame=one)}, sources()).frame
    assert set(frame["scope"]) == {"da"}
    assert frame.loc[frame["measure"] == "text", "why_no_tokens"].tolist() == [""]


def test_the_means_interval_reaches_zero_where_it_is_not_told_from_it():
    def own(frame):
        return frame["reference"] == "own"

    frame = measured_gaps(changed("pairwise", own, p_holm=0.2), sources()).frame
    found = of(frame, "text", "mean")
    assert (found["verdict"], found["p_corrected"], found["low"]) == ("tie", 0.2, 0.0)


def test_the_price_is_the_fitted_laws():
    found = of(measured_gaps(tables(), sources()).frame, "text", "da")
    assert found["tokens"] > HORIZON
    before, after = (losses(LAW, 1e5, at)[0] for at in (HORIZON, found["tokens"]))
    assert after / before == pytest.approx(1 - 0.1 / 2.0)


def test_no_price_without_a_gap_a_law_or_a_loss():
    assert of(measured_gaps(tables(), sources(None)).frame, "text", "da")["why_no_tokens"] == NO_LAW
    tied = of(measured_gaps(tables(gap=0.001), sources()).frame, "text", "da")
    assert (tied["verdict"], tied["why_no_tokens"]) == ("tie", NO_GAP)
    tasks = of(measured_gaps(tables(gap=1.0), sources()).frame, "tasks", "da")
    assert (tasks["verdict"], tasks["why_no_tokens"]) == ("behind", NOT_TEXT)
    assert np.isnan(tasks["tokens"])


def test_without_a_european_model_of_the_class_there_is_no_gap():
    nobody = dataclasses.replace(sources(), register={"us/best": Registered(False, 0.5)})
    assert measured_gaps(tables(), nobody).frame.empty
    assert measured_gaps({}, sources()).frame.empty


def test_published_and_measured_stand_side_by_side_in_columns_of_their_own():
    published = pd.DataFrame([{
        "model": "eu/near#variant", "eu": True, "params_b": 0.5, "model_type": "base", "language": tag,
        "task": "euroeval/reading-comprehension/x", "shots": "4", "split": "test", "metric": "f1",
        "score": 60.0, "stderr_of_mean": 0.5, "harness_version": "", "source": "s",
        "source_date": "2026-04-17", "notes": "",
    } for tag in ("da", "fo")])  # fmt: skip
    known = dataclasses.replace(sources(), published=published)
    everything = tables() | {"published": landscape(known)}
    frame = published_beside(everything).frame
    assert frame[["model", "language"]].to_numpy().tolist() == [["eu/near", "da"]]
    row = frame.iloc[0]
    assert (row["text"], row["reading_comprehension"]) == pytest.approx((1.9, 60.0))
    assert np.isnan(row["sentiment_classification"])
