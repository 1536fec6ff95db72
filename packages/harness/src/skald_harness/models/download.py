"""Models by name: downloaded from a hub, or taken from a folder, and checked before they are used.

Only safetensors, configuration and tokenizer are downloaded. What the configuration alone shows to
be unusable is refused before any weights are. `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and
`HF_HUB_OFFLINE` mean what they mean to huggingface_hub. A model that cannot be had costs one line;
the others go on.
"""

from __future__ import annotations

import errno
import fnmatch
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError

from skald_harness.models.folder import Folder, architecture_of, read_folder
from skald_harness.models.groups import Choice, choose, split_names
from skald_harness.models.parts import (
    INDEX_FILE,
    PICKLES,
    TEXT_FILES,
    WEIGHTS_FILE,
    check_code,
    check_only_model,
    check_tokenizer_config,
    check_tokenizer_files,
    read_config,
)
from skald_harness.models.register import ModelRegister, load_register

_WEIGHTS = (WEIGHTS_FILE, "model-*-of-*.safetensors")
_ALLOWED = (*TEXT_FILES, *_WEIGHTS, INDEX_FILE)
#: Free space that a download must leave, in bytes.
SPARE_BYTES = 1 << 30
#: A download from so many bytes on is announced.
TOLD_BYTES = 100_000_000


@dataclass(frozen=True)
class Resolution:
    """The models that can be used, and one error for each that cannot."""

    folders: tuple[Folder, ...]
    problems: tuple[UserInputError, ...]


def resolve(
    names: Sequence[str],
    trust_remote_code: Sequence[str] = (),
    register: ModelRegister | None = None,
    progress: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> Resolution:
    """Turn names into model folders on this machine.

    Args:
        names: Groups, ids (with `@revision`, if wanted), short names and folders; each may hold
            several, parted by commas or spaces.
        trust_remote_code: Ids whose code the user confirms; the register must allow it too.
        register: By default `evals/models.yaml`.
        progress: Told what a user should know, line by line.

    Returns:
        What can be used, in the order asked for, and what cannot.
    """
    register = load_register() if register is None else register
    choices: list[Choice] = []
    problems: list[UserInputError] = []
    for name in split_names(names):
        try:
            choices += [c for c in choose(name, register) if c not in choices]
        except UserInputError as error:
            problems.append(error)
    problems += _check_trust(trust_remote_code, choices)
    shorts = [short for short, _ in {(c.short_name, c.folder or c.hub_id) for c in choices}]
    folders = []
    for choice in choices:
        name = choice.short_name
        if choice.hub_id and shorts.count(name) > 1:
            name = choice.hub_id.replace("/", "--")
        try:
            folders.append(_get(choice, name, trust_remote_code, progress))
        except UserInputError as error:
            problems.append(error)
    return Resolution(tuple(folders), tuple(problems))


def _check_trust(confirmed: Sequence[str], choices: Sequence[Choice]) -> list[UserInputError]:
    problems = []
    for hub_id in confirmed:
        mine = [choice for choice in choices if choice.hub_id == hub_id]
        if not mine:
            problems.append(
                UserInputError(
                    "--trust-remote-code", f"{hub_id} is not among the models", "Name its full id"
                )
            )
        elif not any(choice.known and choice.known.trust_remote_code for choice in mine):
            problems.append(
                UserInputError(
                    "--trust-remote-code",
                    f"evals/models.yaml does not allow the code of {hub_id}",
                    "Read that code, and set `trust_remote_code: true` for the model there",
                )
            )
    return problems


def _get(
    choice: Choice, name: str, confirmed: Sequence[str], progress: Callable[[str], None]
) -> Folder:
    if choice.folder is not None:
        return read_folder(choice.folder)
    known = choice.known
    allowed = known is not None and known.trust_remote_code
    trusted = choice.hub_id if allowed and choice.hub_id in confirmed else None
    pinned = choice.revision or (known.revision if known else None)
    path = download(choice.hub_id, pinned, trusted, progress)
    commit = path.name
    if pinned is None:
        progress(f"{choice.hub_id}: unpinned: measured at {commit}, pin it in evals/models.yaml")
    if choice.revision:
        name = f"{name}@{choice.revision.replace('/', '-')[:12]}"
    try:
        return read_folder(
            path,
            name=name,
            role="external",
            hub_id=choice.hub_id,
            revision=commit,
            tuning=known.tuning if known else None,
            trusted=trusted,
        )
    except UserInputError as error:
        raise _about(choice.hub_id, error) from None


def download(
    hub_id: str,
    revision: str | None,
    trusted: str | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Path:
    """Bring a model onto this machine, or find it in the cache.

    Args:
        hub_id: `owner/name`.
        revision: Branch, tag or commit; None for the newest of the main branch.
        trusted: The id again, to fetch its code too.
        progress: Told what is downloaded, before it is.

    Returns:
        The snapshot's folder, whose name is the commit.

    Raises:
        UserInputError: It cannot be had, or is not what can be evaluated.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        commit = HfApi().resolve_revision(hub_id, revision=revision).resolved
        return _fetch(hub_id, commit, trusted, progress)
    except UserInputError as error:
        raise _about(hub_id, error) from None
    except Exception as error:
        problem = _explain(hub_id, revision, error)
        if problem is None:
            raise
        raise problem from None


def _fetch(hub_id: str, commit: str, trusted: str | None, progress: Callable[[str], None]) -> Path:
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download

    allowed = [*_ALLOWED, "*.py"] if trusted else list(_ALLOWED)
    sizes = _listing(HfApi(), hub_id, commit)
    if sizes is None:
        return Path(
            snapshot_download(
                hub_id, revision=commit, allow_patterns=allowed, local_files_only=True
            )
        )
    _check_files(hub_id, list(sizes))
    texts = [name for name in ("config.json", "tokenizer_config.json") if name in sizes]
    # What can be refused is refused before the weights, which may take hours.
    snapshot = {Path(hf_hub_download(hub_id, name, revision=commit)).parent for name in texts}.pop()
    config = read_config(snapshot)
    check_code(snapshot, trusted)
    check_tokenizer_config(snapshot)
    if trusted is None:
        architecture_of(snapshot, config, None)
        check_tokenizer_files(hub_id, sizes)
    wanted = [name for name in sizes if any(fnmatch.fnmatchcase(name, p) for p in allowed)]
    missing = sum(sizes[name] for name in wanted if not (snapshot / name).exists())
    cache = Path(constants.HF_HUB_CACHE)
    _check_space(cache, missing)
    if missing >= TOLD_BYTES:
        progress(f"{hub_id}: downloading {missing / 1e9:.1f} GB to {cache}")
    return Path(snapshot_download(hub_id, revision=commit, allow_patterns=allowed))


def _listing(api: Any, hub_id: str, commit: str) -> dict[str, int] | None:
    """Return the size in bytes of every file, or None where the hub does not answer."""
    from httpx2 import ProxyError, TransportError
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        info = api.model_info(hub_id, revision=commit, files_metadata=True)
    except ProxyError:
        raise  # a wrong proxy is no missing hub
    except (TransportError, OfflineModeIsEnabled):
        return None
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return None
    return {file.rfilename: file.size or 0 for file in info.siblings or ()}


def _check_files(hub_id: str, names: Sequence[str]) -> None:
    if away := [name for name in names if not _stays(name)]:
        raise UserInputError(
            hub_id, f"lists {away[0]!r}, which leads out of its folder", "Name another model"
        )
    check_only_model(hub_id, names)
    if "config.json" not in names:
        raise UserInputError(
            hub_id, "no config.json: not a model of transformers", "Name another model"
        )
    if WEIGHTS_FILE not in names and INDEX_FILE not in names:
        pickles = [name for name in names if name.endswith(PICKLES)]
        found = f"only pickled weights ({pickles[0]}), which are never read" if pickles else ""
        raise UserInputError(
            hub_id, found or "no safetensors weights", "Convert them, and name that folder"
        )


def _stays(name: str) -> bool:
    """Return whether a file's name on a hub stays in the folder of its model, on any system."""
    parts = name.split("/")
    return not ({"", ".", ".."} & set(parts) or "\\" in name or ":" in name or "\0" in name)


def _check_space(cache: Path, n_bytes: int) -> None:
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if n_bytes and n_bytes + SPARE_BYTES > free:
        raise UserInputError(
            str(cache),
            f"{n_bytes / 1e9:.1f} GB to download, {free / 1e9:.1f} GB free, of which "
            f"{SPARE_BYTES / 1e9:.1f} GB stay so",
            "Free space, or point HF_HOME at a larger disk",
        )


def _about(hub_id: str, error: UserInputError) -> UserInputError:
    """Name the model instead of a path in the cache."""
    where = Path(error.where)
    if hub_id in error.where or not where.is_absolute():
        return error
    name = hub_id if where.is_dir() else f"{hub_id} {where.name}"
    return UserInputError(name, error.problem, error.remedy)


def _explain(hub_id: str, revision: str | None, error: Exception) -> UserInputError | None:
    """Turn what the libraries raise into one line; None for what is no fault of the user's."""
    from httpx2 import ProxyError, TransportError
    from huggingface_hub import constants, errors

    endpoint, offline = constants.ENDPOINT, constants.is_offline_mode()
    match error:
        case errors.GatedRepoError():
            page = f"accept its terms at {endpoint}/{hub_id}"
            if error.response.status_code == 403:
                return UserInputError(hub_id, "gated, and this token was not let in", f"Do {page}")
            return UserInputError(
                hub_id, "gated, and there is no token", f"First {page}, then set HF_TOKEN"
            )
        case errors.RevisionNotFoundError():
            return UserInputError(hub_id, f"no revision {revision}", "Name a branch or a commit")
        case errors.RepositoryNotFoundError():
            return UserInputError(
                hub_id,
                f"no such model on {endpoint}, or a private one",
                "Check the id, or set HF_TOKEN",
            )
        case errors.LocalEntryNotFoundError() | errors.RevisionResolutionError():
            if offline:
                return UserInputError(
                    hub_id,
                    f"not whole in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set",
                    "Unset it, or name a folder",
                )
            return UserInputError(
                hub_id,
                f"cannot reach {endpoint}, and the cache {constants.HF_HUB_CACHE} has it not whole",
                "Try again with a network, or name a folder",
            )
        case errors.HFValidationError():
            return UserInputError(hub_id, "not a model id", "Name it as owner/name")
        case ProxyError():
            return UserInputError(hub_id, f"the proxy failed ({error})", "Check HTTPS_PROXY")
        case errors.HfHubHTTPError():
            status = error.response.status_code
            return UserInputError(
                hub_id, f"{endpoint} answered {status}", "Check HF_TOKEN, or try again later"
            )
        case TransportError():
            return UserInputError(
                hub_id,
                f"the download broke off ({type(error).__name__})",
                "Run it again: files that are whole are kept",
            )
        case OSError() if error.errno == errno.ENOSPC:
            return UserInputError(
                constants.HF_HUB_CACHE,
                f"the disk is full, {hub_id} is not whole",
                "Free space and run it again: files that are whole are kept",
            )
        case OSError():
            return UserInputError(
                hub_id,
                f"cannot be stored in {constants.HF_HUB_CACHE} ({error.strerror or error})",
                "Run it again, or point HF_HOME elsewhere",
            )
        case ValueError() | KeyError():
            return UserInputError(
                hub_id, f"{endpoint} does not answer as a hub does ({error})", "Check HF_ENDPOINT"
            )
    return None
