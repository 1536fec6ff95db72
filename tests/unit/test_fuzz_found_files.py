"""Files that once made a traceback, a hang or a flood of memory: each kind is refused in one line, or read."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skald_cli import wheelhouse
from skald_corpus.decontaminate.sources import pair_files
from skald_corpus.filters.language_model import LanguageModel
from skald_corpus.pipeline.rows import json_rows
from skald_corpus.readers import Bad, lines
from skald_harness.models import download
from skald_harness.models.parts import read_config
from skald_harness.store import answers
from skald_harness.store.keys import RunKey
from skald_harness.store.recompute import text_metrics
from skald_mup.foreign import published_shape
from skald_mup.tensorfile import TensorReader, save_tensors, tensor_files
from skald_planner.fitting.runs import read_runs
from skald_report.over_time.releases import _copy
from skald_report.reading.inputs import ReportInputs, load
from skald_specs import packed
from skald_specs.checkpoint import CheckpointManifest
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library, read_jsonl, read_text
from skald_specs.fingerprint import fingerprint
from skald_specs.records import RequestRecord
from skald_specs.shape import ModelShape
from skald_trainer.checkpoint_view import page
from skald_trainer.loader import token_bytes
from skald_trainer.metrics import MetricsFile, curve_rows, energy_joules
from skald_trainer.nanotron_weights import _merged

SHAPE = {
    "d_model": 8, "n_layers": 1, "d_head": 4, "n_heads": 2, "n_kv_heads": 1, "d_ff": 8,
    "vocab_size": 8, "seq_len": 8,
}  # fmt: skip
FACTS = {"model": "base"}
KEY = RunKey(FACTS, fingerprint(FACTS))
RECORD = RequestRecord(
    run_key=KEY.digest, task="t", item_id="1", index=0, context="", continuation="a",
    logprob_nats=-1.0, is_greedy=True, response=None, recheck_nats=None, n_tokens=1, n_bytes=1,
)  # fmt: skip


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("line", [b"\n", b"a", b'{"text": "a"}\n'])
def test_a_gzip_that_unpacks_without_end_is_refused_early(line: bytes, tmp_path: Path) -> None:
    bomb = gzip.compress(line * ((16 << 20) // len(line)))
    path = written(tmp_path / "a.jsonl.gz", bomb)
    assert len(bomb) < 100_000
    with pytest.raises(UserInputError, match="unpacks to more than"):
        read_text(path)
    (last,) = deque(lines(path), maxlen=1)
    assert isinstance(last, Bad) and "unpacks to more" in last.problem


def test_a_gzip_of_text_is_read_though_it_packs_well(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"hund {n}"}) + "\n" for n in range(50_000))
    path = written(tmp_path / "a.jsonl.gz", gzip.compress(rows.encode()))
    assert len(rows) > packed.FREE_BYTES and len(list(read_jsonl(path))) == 50_000


def test_what_stands_before_the_damage_of_a_gzip_is_still_read(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(os.urandom(40).hex().encode() + b"\n" for _ in range(4000)))
    *rows, last = lines(written(tmp_path / "a.txt.gz", whole[:-1000]))
    assert len(rows) > 3000 and isinstance(last, Bad) and "damaged gzip" in last.problem


class PanicException(BaseException):
    """What a panic in Rust becomes: no Exception."""


@pytest.mark.parametrize(
    "error", [PanicException("index out of bounds"), MemoryError(), KeyError("x")]
)
def test_whatever_a_library_raises_becomes_one_line(error: BaseException, tmp_path: Path) -> None:
    with (
        pytest.raises(UserInputError, match="no tokenizer"),
        read_by_library(tmp_path, "no tokenizer", "Fetch it"),
    ):
        raise error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(2), UserInputError("a", "b", "c")]
)
def test_an_interrupt_and_an_error_of_ours_pass_a_library(
    error: BaseException, tmp_path: Path
) -> None:
    with (
        pytest.raises(type(error)) as caught,
        read_by_library(tmp_path, "no tokenizer", "Fetch it"),
    ):
        raise error
    assert caught.value is error


def damaged_archives(folder: Path) -> dict[str, bytes]:
    LanguageModel.train({"da": ["en hund"], "sv": ["en katt"]}).save(folder / "m.npz")
    whole = (folder / "m.npz").read_bytes()
    encrypted = bytearray(whole)
    encrypted[6] |= 1  # the flag of the first member, and of its entry in the directory
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    method = bytearray(whole)
    method[8] = 99
    method[whole.index(b"PK\x01\x02") + 10] = 99
    with zipfile.ZipFile(folder / "n.npz", "w", zipfile.ZIP_DEFLATED) as out:
        with zipfile.ZipFile(folder / "m.npz") as old:
            for name in old.namelist():
                out.writestr(name, old.read(name))
        huge = {"descr": "<u4", "fortran_order": False, "shape": (1 << 50,)}
        text = repr(huge).ljust(117).encode() + b"\n"
        out.writestr("rows.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    return {"encrypted": bytes(encrypted), "method": bytes(method), "huge": (folder / "n.npz").read_bytes(),
            "short": whole[:-30]}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_damaged_language_model_is_named(tmp_path: Path) -> None:
    for name, data in damaged_archives(tmp_path).items():
        with pytest.raises(UserInputError, match="no language model"):
            LanguageModel.load(written(tmp_path / f"{name}.npz", data))


@pytest.mark.parametrize(
    "record",
    [b"{", b"[]", b"{}", b"[" * 3000, b'{"run_key": "\xff"}', RECORD.model_dump_json().replace('"1"', "[1]").encode()],
)  # fmt: skip
def test_a_stored_line_that_is_no_record_is_a_damaged_one(record: bytes, tmp_path: Path) -> None:
    def line(body: bytes) -> bytes:
        told = b"%08d%s%s" % (0, answers.LAST, body)
        return b"%s%08x%s%s%s\n" % (
            answers.HEAD,
            zlib.crc32(told),
            answers.MIDDLE,
            told,
            answers.TAIL,
        )

    whole = RECORD.model_dump_json().encode()
    written(tmp_path / KEY.digest / "rank-0.jsonl", line(record) + line(whole))
    (tmp_path / KEY.digest / "key.json").write_text(json.dumps({"facts": FACTS}))
    found = answers.AnswerStore(tmp_path).read(KEY)
    assert len(found.damaged) == 1 and list(found.records) == [("1", 0)]
    (tmp_path / KEY.digest / "key.json").write_text('{"facts": {"model": 1e999}}')
    with pytest.raises(UserInputError, match="names other facts"):
        answers.AnswerStore(tmp_path).read(KEY)


@pytest.mark.parametrize(
    "line", [b"\xff", b"[" * 3000, b"[]", b'{"step": "2"}', b'{"step": 2, "energy_joules": {}}',
             b'{"step": 2, "energy_since_step": 1, "energy_joules": {"gpu": "x"}}'],
)  # fmt: skip
def test_the_log_of_a_run_ends_at_the_first_line_that_is_no_row(
    line: bytes, tmp_path: Path
) -> None:
    good = b'{"step": 1, "loss_nats": 2.0}\n'
    path = written(tmp_path / "metrics.jsonl", good + line + b"\n" + good)
    assert len(curve_rows(path)) == 1 and energy_joules(path) == {}
    MetricsFile(path, 5).close()
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("row", ["1", '{"step": 1, "tokens_seen": 1, "bits_per_byte": []}',
                                 '{"step": 1, "tokens_seen": 1, "loss_nats": "x"}'])  # fmt: skip
def test_a_curve_of_other_values_is_refused(row: str, tmp_path: Path) -> None:
    written(tmp_path / "run" / "final" / "curve.jsonl", row.encode())
    with pytest.raises(UserInputError, match=r"curve\.jsonl:1"):
        load(ReportInputs(runs=(tmp_path / "run" / "final",)))


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 5000, '{"machine": "x"}', '{"machine": 1, "pins": 1, "sha256": []}']
)
def test_a_damaged_manifest_of_wheels_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / wheelhouse.MANIFEST).write_text(text)
    with pytest.raises(wheelhouse.WheelhouseError):
        wheelhouse.check(tmp_path, "p")


def test_names_of_a_manifest_of_wheels_stay_in_its_folder(tmp_path: Path) -> None:
    outside = written(tmp_path / "secret.whl", b"x")
    value = {"machine": wheelhouse._machine(), "pins": "p"}
    for name in (f"../{outside.name}", str(outside), "a\0b", "a" * 5000):
        sums = {name: wheelhouse._sha256(outside)}
        written(
            tmp_path / "wheels" / wheelhouse.MANIFEST,
            json.dumps({**value, "sha256": sums}).encode(),
        )
        with pytest.raises(wheelhouse.WheelhouseError, match="missing or damaged"):
            wheelhouse.check(tmp_path / "wheels", "p")


@pytest.mark.parametrize("change", [{"n_layers": 2**31}, {"d_ff": 10**30}, {"seq_len": 10**18}])
def test_a_shape_beyond_any_model_is_refused_before_it_is_counted_through(
    change: dict[str, int],
) -> None:
    with pytest.raises(UserInputError, match="less than or equal"):
        ModelShape.check({**SHAPE, **change}, "config.json")


@pytest.mark.parametrize(
    "change",
    [
        {"rope_parameters": 5},
        {"num_attention_heads": {}},
        {"num_attention_heads": 0},
        {"hidden_size": "x"},
    ],
)
def test_a_published_config_of_other_kinds_is_refused(change: dict[str, object]) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "hidden_size": 8, "num_attention_heads": 2}
    with pytest.raises(UserInputError, match=next(iter(change))):
        published_shape({**config, **change}, "config.json")


def test_no_room_is_made_for_what_a_config_alone_says(tmp_path: Path) -> None:
    save_tensors({"data": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(UserInputError, match=r"does not fit|do not cover"):
        _merged([tmp_path / "a.safetensors"], (1 << 24, 1 << 24))


def test_an_index_of_tensors_names_files_beside_it(tmp_path: Path) -> None:
    for name in ("", ".", "..", "../x", "/etc/passwd", "a\0"):
        written(
            tmp_path / "m.safetensors.index.json", json.dumps({"weight_map": {"a": name}}).encode()
        )
        with pytest.raises(UserInputError, match="is no name of a file"):
            tensor_files(tmp_path / "m.safetensors")
    with pytest.raises(UserInputError, match="no readable tensors"):
        TensorReader(written(tmp_path / "x.safetensors", b"\xff" * 16))


def test_a_tokenizer_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no tokenizer"):
        token_bytes(written(tmp_path / "tokenizer.json", b"{"))


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "a\0b", "a" * 300, ".", "", "a/b", "a\\b"]
)
def test_a_checkpoint_names_files_beside_its_manifest(name: str) -> None:
    facts = {"schema_version": 1, "plan_fingerprint": "", "corpus_fingerprint": "", "step": 1}
    with pytest.raises(UserInputError):
        CheckpointManifest.check({**facts, "sha256": {name: "0" * 64}}, "manifest.json")
    assert CheckpointManifest.check(
        {**facts, "sha256": {"model-00001-of-00002.safetensors": ""}}, ""
    )


@pytest.mark.parametrize(
    "name", ["../x.json", "a/../../x.jinja", "/etc/x.json", "a\\..\\x.json", "C:x", "a//b", "a\0"]
)
def test_a_hub_that_lists_names_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(UserInputError, match="leads out of its folder"):
        download._check_files("a/b", ["config.json", "model.safetensors", name])
    download._check_files(
        "a/b", ["config.json", "model.safetensors", "additional_chat_templates/x.jinja"]
    )


def test_a_link_in_a_report_is_no_part_of_a_release(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", b"x")
    written(tmp_path / "report" / "index.html", b"")
    (tmp_path / "report" / "figures").symlink_to(secret)
    with pytest.raises(UserInputError, match="leads elsewhere"):
        _copy(tmp_path / "report", tmp_path / "out")


def test_tables_and_rows_of_others_end_in_one_line(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: read_runs(written(tmp_path / "r.parquet", b"PAR1" + b"\0" * 40)), "not a table"),
        (lambda: list(json_rows(written(tmp_path / "p.jsonl", b'{"id": 1}\n'))), "damaged"),
        (lambda: pair_files(written(tmp_path / "da.jsonl", _PAIR).parent), "source_id"),
    ]
    for call, said in cases:
        with pytest.raises(UserInputError, match=said):
            call()


_PAIR = b'{"good": "a b", "bad": "b a", "type": "swap", "source_id": ""}\n'


def test_the_numbers_of_a_language_model_are_those_that_were_saved(tmp_path: Path) -> None:
    model = LanguageModel.train({"da": ["en hund"], "sv": ["en katt"]})
    model.save(tmp_path / "m.npz")
    assert np.array_equal(LanguageModel.load(tmp_path / "m.npz").weights, model.weights)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"quantization_config": "x"}, "quantised"), ({"quantization_config": [1]}, "quantised"), ({"dtype": 5}, "no name of a type"),
     ({"num_hidden_layers": 10**9}, "no model has as many"), ({"text_config": {"n_layer": 10**8}}, "no model has as many")],
)  # fmt: skip
def test_an_export_of_other_kinds_is_refused_before_transformers_reads_it(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    written(tmp_path / "config.json", json.dumps({"model_type": "qwen2", **change}).encode())
    with pytest.raises(UserInputError, match=said):
        read_config(tmp_path)


def test_a_page_on_a_checkpoint_shows_tensors_that_are_none_of_the_model() -> None:
    facts = {
        "step": 1,
        "n_steps": 1,
        "files": {},
        "tensors": {"x": "F32 []", "layers.y": "I64 [2, 3]"},
    }
    assert "unknown 'x'" in page(facts) and "unknown 'layers.y'" in page(facts)


def test_a_document_without_text_has_no_bits_per_byte() -> None:
    with pytest.raises(ValueError, match="has a text"):
        text_metrics([RECORD.model_copy(update={"continuation": ""})])
