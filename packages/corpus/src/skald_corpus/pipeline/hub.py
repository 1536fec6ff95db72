"""Files of a Hugging Face data set at a pinned commit; the one door to `huggingface_hub`."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError
from skald_specs.sources import HubFiles


def hub_files(hub: HubFiles, where: str) -> list[Path]:
    """Fetch the files of a data set, or find them in the hub's cache.

    Args:
        hub: Data set, commit and patterns.
        where: Names the source in errors.

    Returns:
        Local paths, in the order of their names.

    Raises:
        UserInputError: The library is missing, the hub cannot be reached, the revision is no
            commit, or there are no such files.
    """
    try:
        library: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        raise UserInputError(
            where, "huggingface_hub is not installed", "pip install 'skald-corpus[hub]'"
        ) from None
    name = f"{where}, {hub.dataset}"
    if not re.fullmatch(r"[0-9a-f]{40}", hub.revision):
        raise UserInputError(name, f"revision {hub.revision} is no commit", _commit(library, hub))
    try:
        wanted = _wanted(library, hub)
        root = Path(
            library.snapshot_download(
                hub.dataset,
                repo_type="dataset",
                revision=hub.revision,
                allow_patterns=wanted,
            )
        )
    # The library raises a dozen kinds of error of its own and of its transport.
    except Exception as error:
        told = " ".join(str(error).split())[:150]
        raise UserInputError(
            name, f"cannot be fetched ({told})", "Connect, unset HF_HUB_OFFLINE, or use local files"
        ) from None
    # By the hub's own reading of patterns; the cache may hold more files than these.
    there = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    found = sorted(library.utils.filter_repo_objects(there, allow_patterns=wanted))
    if not found:
        raise UserInputError(name, f"no files {', '.join(hub.files)}", "Check `hub.files`")
    return [root / file for file in found]


def _wanted(library: Any, hub: HubFiles) -> list[str]:
    """Return the patterns, or with a limit the first files by name that they match.

    The listing of a commit stays in the hub's cache with what was fetched, so that a corpus is made
    again without a connection.
    """
    if hub.most_files is None:
        return list(hub.files)
    place = {"repo_type": "dataset", "revision": hub.revision}
    try:
        listed = [file.path for file in library.get_cached_repo_tree(hub.dataset, **place)]
    except library.errors.CachedRepoTreeNotFoundError:
        listed = library.HfApi().list_repo_files(hub.dataset, **place)
    matching = library.utils.filter_repo_objects(listed, allow_patterns=list(hub.files))
    return sorted(matching)[: hub.most_files]


def _commit(library: Any, hub: HubFiles) -> str:
    """Say which commit a branch or tag stands for, where that can be asked."""
    try:
        commit = library.HfApi().dataset_info(hub.dataset, revision=hub.revision).sha
    except Exception:  # any failure to ask means the same: the user must look it up
        return f"Pin the commit that https://huggingface.co/datasets/{hub.dataset}/commits shows"
    return f"Today it is commit {commit}; write that"
