"""Fuzz targets: the files and streams that a user hands in, by what they belong to."""

from __future__ import annotations

import _fuzz_files_records
import _fuzz_files_text
import _fuzz_files_weights

TARGETS = (
    *_fuzz_files_text.TARGETS, *_fuzz_files_weights.TARGETS, *_fuzz_files_records.TARGETS,
)  # fmt: skip
