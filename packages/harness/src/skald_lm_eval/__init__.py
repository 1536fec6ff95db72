"""Makes `skald` a model of plain lm-eval: `lm_eval --model skald`.

`skald_lm_eval.pth` imports this whenever Python starts, because lm-eval 0.4.13 looks for models
nowhere but in its own table. So it imports nothing, not even `typing`, and waits for that table.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

#: Whose import completes lm-eval's table of models.
TABLE = "lm_eval.models"
MODEL = "skald_harness.adapter.network:TrieLM"


class _AfterTable:
    """Finds nothing by itself; what the others find as `TABLE` is completed once it has run."""

    def find_spec(self, name: str, path: "Any" = None, target: "ModuleType | None" = None) -> "Any":
        if name != TABLE:
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_register(module: "ModuleType") -> None:
            run(module)
            registry = sys.modules["lm_eval.api.registry"].model_registry
            if "skald" not in registry:
                registry.register("skald", target=MODEL)

        # On this one loader object, so that whoever asks for its type finds what Python made.
        spec.loader.exec_module = run_and_register  # type: ignore[method-assign]  # meant
        return spec


sys.meta_path.insert(0, _AfterTable())
