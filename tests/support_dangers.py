"""What no file of ours may do, looked for in the syntax tree, where names are known by their imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

Rule = Callable[[ast.Call, str], bool]

#: Modules that turn bytes into objects of any class, or parse markup with entities and links.
UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
MARKUP = {"xml", "lxml", "html.parser", "bs4", "html5lib", "xmltodict"}
NETWORK = {
    "urllib.request", "http.client", "http.server", "requests", "httpx", "httpx2", "aiohttp", "urllib3", "ftplib",
    "smtplib", "socket", "socketserver", "telnetlib", "xmlrpc", "paramiko", "ssl", "webbrowser",
}  # fmt: skip
_RUNS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "csh"}
_SHELL_CALLS = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn",
    "asyncio.create_subprocess_shell", "popen2.popen2", "commands.getoutput",
}  # fmt: skip
_CODE_CALLS = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "builtins.compile",
    "runpy.run_path", "runpy.run_module", "code.interact", "importlib.util.spec_from_file_location",
    "importlib.machinery.SourceFileLoader", "types.FunctionType", "types.CodeType",
}  # fmt: skip


def problems(source: str) -> list[tuple[str, int]]:
    """Return the rules that a file breaks, each with the line."""
    tree = ast.parse(source)
    names = _names(tree)
    found = [(rule, node.lineno) for node in ast.walk(tree) for rule in _broken(node, names)]
    return sorted(set(found), key=lambda row: (row[1], row[0]))


def _names(tree: ast.Module) -> dict[str, str]:
    """Return what every imported name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the full name of an expression such as `np.load`; an unknown beginning is `?`."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return "?"


def _broken(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        for name in _imported(node):
            yield from _module_rules(name)
    if isinstance(node, ast.Call):
        name = dotted(node.func, names)
        for rule, breaks in CALLS.items():
            if breaks(node, name):
                yield rule
        if name == "importlib.import_module" and node.args:
            yield from _module_rules(_text(node.args[0]) or "")
    if isinstance(node, ast.Attribute | ast.Name):
        name = dotted(node, names)
        if name.startswith("yaml.") and name.split(".")[1] in _UNSAFE_LOADERS:
            yield "yaml"
        if name in ("ssl._create_unverified_context", "ssl.CERT_NONE"):
            yield "tls"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _plain_http(node.value):
        yield "tls"
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and _text(key) == "trust_remote_code" and not _is(value, False):
                yield "remote code"


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if node.module else []


def _module_rules(name: str) -> Iterator[str]:
    for rule, modules in (("pickle", UNPICKLERS), ("markup", MARKUP), ("network", NETWORK)):
        if any(f"{name}.".startswith(f"{module}.") for module in modules):
            yield rule


def _plain_http(text: str) -> bool:
    host = text.removeprefix("http://")
    return host != text and not host.startswith(("localhost", "127.0.0.1", "www.w3.org/"))


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _given(call: ast.Call, word: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == word), None)


def _unpickles(call: ast.Call, name: str) -> bool:
    if name == "torch.load":
        return not _is(_given(call, "weights_only"), True)
    if name == "numpy.load":
        return not _is(_given(call, "allow_pickle"), False)
    if name.rpartition(".")[2] in ("read_pickle", "to_pickle"):
        return True
    return not _is(_given(call, "allow_pickle") or ast.Constant(False), False)


_UNSAFE_LOADERS = {
    "load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all", "Loader",
    "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader",
}  # fmt: skip


def _shell(call: ast.Call, name: str) -> bool:
    if name in _SHELL_CALLS or name.startswith(("os.spawn", "os.execl", "os.posix_spawn")):
        return True
    if not _is(_given(call, "shell") or ast.Constant(False), False):
        return True
    command = call.args[0] if call.args else _given(call, "args")
    if name not in _RUNS or command is None:
        return False
    if isinstance(command, ast.JoinedStr | ast.Constant) or _joined(command):
        return True
    words = command.elts if isinstance(command, ast.List | ast.Tuple) else []
    first = (_text(words[0]) or "").rpartition("/")[2] if words else ""
    texts = [_text(word) for word in words[1:]]
    return first in _SHELLS and "-c" in texts and None in texts


def _joined(node: ast.expr) -> bool:
    """Whether an expression makes one string of several."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "join")
    return isinstance(node, ast.BinOp) and any(
        isinstance(side, ast.JoinedStr) or _text(side) is not None or _joined(side)
        for side in (node.left, node.right)
    )


def _runs_code(call: ast.Call, name: str) -> bool:
    # pandas' own little languages; a network's `eval()` takes no argument.
    evaluates = name.endswith((".eval", ".query")) and bool(call.args)
    loaded = name == "importlib.import_module" and _text(call.args[0]) is None
    return name in _CODE_CALLS or evaluates or loaded or name.endswith(".exec_module")


def _unescaped(call: ast.Call, name: str) -> bool:
    if name.endswith(".Template") and name.startswith("jinja2"):
        return True
    if name.startswith("jinja2") and name.endswith("Environment"):
        return not _is(_given(call, "autoescape"), True)
    return False


def _unescaped_text(call: ast.Call, name: str) -> bool:
    # A constant is our own, and what `.format` puts into one is escaped.
    return name in ("markupsafe.Markup", "jinja2.Markup") and _text(call.args[0]) is None


def _unpacks(call: ast.Call, name: str) -> bool:
    if name == "shutil.unpack_archive" or name.endswith((".extractall", ".extract")):
        return _text(_given(call, "filter")) != "data"
    return False


def _trusts(call: ast.Call, name: str) -> bool:
    return not _is(_given(call, "trust_remote_code") or ast.Constant(False), False)


def _no_tls(call: ast.Call, name: str) -> bool:
    off = [_given(call, word) for word in ("verify", "check_hostname", "cert_reqs")]
    return any(_is(value, False) for value in off) or name == "ssl._create_unverified_context"


def _races(call: ast.Call, name: str) -> bool:
    return name in ("tempfile.mktemp", "os.tempnam", "os.tmpnam")


def _hub(call: ast.Call, name: str) -> bool:
    last = name.rpartition(".")[2]
    return last in ("urlopen", "urlretrieve", "hf_hub_download", "snapshot_download")


CALLS: dict[str, Rule] = {
    "pickle": _unpickles,
    "shell": _shell,
    "code": _runs_code,
    "template": _unescaped,
    "markup safe": _unescaped_text,
    "archive": _unpacks,
    "remote code": _trusts,
    "tls": _no_tls,
    "temporary name": _races,
    "network": _hub,
}


def asserts(source: str) -> list[str]:
    """Return what a file asserts beyond the type of a value, which is our own for the type checker."""
    return [
        ast.unparse(node.test)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert) and not _narrows(node.test)
    ]


def _narrows(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp):
        return all(map(_narrows, test.values))
    if isinstance(test, ast.Call):
        return isinstance(test.func, ast.Name) and test.func.id == "isinstance"
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.IsNot)
        and _is(test.comparators[0], None)
    )
