"""One process that is given inputs, and may hang or die of them.

A reader is called in it with a limit of time for each input and one of memory. What it is being given
lies in memory that both share, so that the driver knows it whatever became of the child.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

from _fuzz_harms import chosen_harms
from _fuzz_mutate import MAX_INPUT_BYTES
from _fuzz_target import ONE_IN, Finding, Outcome, Target

try:
    import atheris
except ImportError:  # no wheel for this Python, or not installed
    atheris = None

#: Bytes that one reader may take beside what its process held before the first input.
LIMIT_BYTES = 1 << 30
_PACKAGES = ("specs", "mup", "corpus", "planner", "trainer", "harness", "report", "cli")
#: A reader gets as many harms of its files in order as inputs, and so many at least.
LEAST_HARMS = 300
#: executed, returned, refused, length of the input; the input follows.
_HEAD = struct.Struct("<QQQQ")


class _TooLongError(BaseException):
    """The limit of time was reached; no `except Exception` of a reader keeps it."""


def instrumented() -> contextlib.AbstractContextManager[object]:
    """Have what is imported in this context report its coverage, where atheris is installed."""
    if atheris is None:
        return contextlib.nullcontext()
    names = [f"skald_{name}" for name in _PACKAGES]
    manager: contextlib.AbstractContextManager[object] = atheris.instrument_imports(include=names)
    return manager


class Child:
    """One forked process and what it shares with the driver."""

    def __init__(
        self,
        target: Target,
        folder: Path,
        done: Outcome,
        count: int,
        limits: tuple[float, float],
        cover: bool,
    ) -> None:
        self.target, self.folder, self.done, self.count = target, folder, done, count
        self.limit_s, self.wait_limit_s = limits
        self.cover = cover and atheris is not None
        self.shared = mmap.mmap(-1, _HEAD.size + MAX_INPUT_BYTES)
        self.log, self.result = folder / "findings.jsonl", folder / "result.json"
        self.returned = self.refused = self.executed = self.harms = 0
        self.slowest_s = 0.0
        self.known: set[tuple[str, str]] = set()

    def run(self) -> Outcome:
        """Fork, wait and gather; a child that hangs is killed, and its input a finding."""
        self.log.unlink(missing_ok=True)
        self.result.unlink(missing_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        pid = os.fork()
        if pid == 0:
            self._be_child()
        status, hung = self._wait(pid)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        executed, returned, refused, length = _HEAD.unpack_from(self.shared)
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []
        findings = [Finding(**json.loads(line)) for line in lines]
        told = json.loads(self.result.read_text(encoding="utf-8")) if self.result.is_file() else {}
        if "broken" in told:
            raise RuntimeError(f"{self.target.name}: a valid example is refused: {told['broken']}")
        if hung or (status != 0 and not told.get("ended")):
            data = self.shared[_HEAD.size : _HEAD.size + length]
            problem = "killed: no end" if hung else f"ended by status {status}"
            kind = "hang" if hung else "died"
            findings.append(Finding(kind, f"{kind} in C code", problem, data.hex()))
        harms = told.get("harms", 0)
        inputs = executed - harms
        covered = min(inputs, self.count - self.count // 2) if self.cover else 0
        return Outcome(
            self.target.name, told.get("code", self.done.code), max(inputs, min(1, self.count)), harms, covered, returned,
            refused, cpu_s, told.get("slowest_s", 0.0), tuple(findings),
        )  # fmt: skip

    def _wait(self, pid: int) -> tuple[int, bool]:
        """Wait for the child; kill it when one input takes far too long."""
        at, since_cpu, since = -1, 0.0, time.monotonic()
        pause = 0.002
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status, False
            executed, (cpu, ready) = _HEAD.unpack_from(self.shared)[0], _cpu_s(pid)
            now = time.monotonic()
            # One that would run and is not let, on a busy machine, waits for nothing.
            if executed != at or ready:
                since = now
            if executed != at:
                at, since_cpu = executed, cpu
            # The child's own timer rings first, unless it is deep in C code.
            elif executed and (
                cpu - since_cpu > 2 * self.limit_s or now - since > self.wait_limit_s
            ):
                os.kill(pid, signal.SIGKILL)
                return os.waitpid(pid, 0)[1], True
            time.sleep(pause)
            pause = min(0.2, pause * 1.5)

    def _be_child(self) -> None:
        """Run the inputs; never returns."""
        try:
            # A driver that is killed must not leave a child behind.
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            work = self.folder / "work"
            work.mkdir(exist_ok=True)
            os.chdir(work)
            sink = os.open(self.folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            signal.signal(signal.SIGPROF, _ring)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            with instrumented() if self.cover else contextlib.nullcontext():
                self._feed(work)
            self._tell()
        except (
            BaseException
        ):  # the driver reads what broke here, and nothing must return from a child
            self.result.write_text(json.dumps({"broken": traceback.format_exc()}), encoding="utf-8")
        os._exit(0)

    def _feed(self, work: Path) -> None:
        from skald_specs.errors import SkaldError

        made = self.folder / "seeds"
        made.mkdir(exist_ok=True)
        seeds = self.target.seeds(made)
        for data in seeds:
            self.target.call(
                data, work
            )  # imports what it needs; a valid example that is refused ends all
            if self.target.whole is not None:
                # The command may ask for more than its reader; here it imports what it needs.
                with contextlib.suppress(SkaldError):
                    self.target.whole(data, work)
        self.code = _code_loaded()
        self._tell(ended=False)
        gc.freeze()
        _limit_memory()
        n_covered = self.count - self.count // 2 if self.cover else 0
        seed = zlib.crc32(f"{self.target.name}/{self.done.inputs}".encode())
        rng = Random(seed)
        if self.count and not self.done.inputs:
            harms = chosen_harms(seeds, max(LEAST_HARMS, self.count), self.target.name)
            for data in harms:
                self._one(data, self.target.whole)
            self.harms = len(harms)
            self._tell(ended=False)
        for _ in range(self.count - n_covered):
            self._one(self.target.mutate(rng.choice(seeds), rng, self.target.words))
        if n_covered:
            self._guided(seeds, n_covered, seed, rng)

    def _guided(self, seeds: Sequence[bytes], count: int, seed: int, rng: Random) -> None:
        """Let atheris choose inputs by the coverage that they bring; ends the process."""
        corpus = self.folder / "corpus"
        corpus.mkdir(exist_ok=True)
        for number, data in enumerate(seeds):
            (corpus / f"seed{number}").write_bytes(data)
        words = self.folder / "words.txt"
        quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in self.target.words)
        words.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
        end = self.executed + count

        def one(data: bytes) -> None:
            self._one(data)
            if self.executed >= end:
                self._tell()
                os._exit(0)

        def mutation(data: bytes, max_size: int, _seed: int) -> bytes:
            if rng.random() < 0.5:
                return self.target.mutate(data, rng, self.target.words)[:max_size]
            changed: bytes = atheris.Mutate(data, max_size)
            return changed

        options = [
            "fuzz", str(corpus), f"-seed={seed % 2**31}", "-timeout=100000", "-rss_limit_mb=0",
            "-verbosity=0", "-print_final_stats=0", f"-max_len={MAX_INPUT_BYTES}", "-handle_int=0",
            f"-artifact_prefix={self.folder}/", f"-dict={words}",
        ]  # fmt: skip
        atheris.Setup(options, one, custom_mutator=mutation)
        atheris.Fuzz()

    def _one(self, data: bytes, whole: Callable[[bytes, Path], object] | None = None) -> None:
        """Run one input, through this command where one is given, and judge what came of it."""
        data = data[:MAX_INPUT_BYTES]
        self.executed += 1
        _HEAD.pack_into(self.shared, 0, self.executed, self.returned, self.refused, len(data))
        self.shared[_HEAD.size : _HEAD.size + len(data)] = data
        began = time.process_time()
        try:
            signal.setitimer(signal.ITIMER_PROF, self.limit_s)
            try:
                if self.executed % ONE_IN == 0:
                    whole = self.target.whole
                (whole or self.target.call)(data, Path())
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            self.returned += 1
        except BaseException as error:  # whatever it is, it is judged here
            self._judge(error, data)
        self.slowest_s = max(self.slowest_s, time.process_time() - began)

    def _judge(self, error: BaseException, data: bytes) -> None:
        """A refusal in one line is as it should be; all else is a finding."""
        from skald_specs.errors import SkaldError

        if isinstance(error, SkaldError):
            self.refused += 1
            if not str(error).isprintable() or not str(error).strip() or len(str(error)) > 3100:
                self._found("message", error, data)
        elif isinstance(error, _TooLongError):
            self._found("hang", error, data)
        else:
            self._found("memory" if isinstance(error, MemoryError) else "traceback", error, data)

    def _found(self, kind: str, error: BaseException, data: bytes) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name != _ring.__name__]
        ours = [f for f in frames if "skald_" in f.filename] or frames
        at = ours[-1]
        where = f"{Path(at.filename).name}:{at.name}:{type(error).__name__}"
        if kind == "hang":
            where = f"{Path(at.filename).name}:{at.name}"
        if (kind, where) in self.known:
            return
        self.known.add((kind, where))
        said = f"{type(error).__name__}: {error}"[:300].encode("ascii", "backslashreplace").decode()
        problem = f"{at.filename}:{at.lineno}: {said}"
        with self.log.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(Finding(kind, where, problem, data.hex()))) + "\n")

    def _tell(self, ended: bool = True) -> None:
        _HEAD.pack_into(self.shared, 0, self.executed, self.returned, self.refused, 0)
        told = {"ended": ended, "code": self.code, "harms": self.harms, "slowest_s": self.slowest_s}
        self.result.write_text(json.dumps(told), encoding="utf-8")


def _ring(_number: int, _frame: object) -> None:
    raise _TooLongError


def _cpu_s(pid: int) -> tuple[float, bool]:
    """Return the processor time of a process so far, and whether it runs or could."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, fields[0] == "R"


def _limit_memory() -> None:
    """Allow so much memory beside what the process holds now."""
    status = Path("/proc/self/status").read_text()
    held = int(status.partition("VmData:")[2].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + LIMIT_BYTES, held + LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _code_loaded() -> str:
    """Return a hash of our code that this process has loaded, and of what feeds it."""
    files = {
        str(module.__file__)
        for name, module in list(sys.modules.items())
        if name.startswith(("skald_", "_fuzz")) and getattr(module, "__file__", None)
    }
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]
