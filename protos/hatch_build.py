"""Compile the .proto files when the cas-protos wheel is built, so that no generated code is committed."""

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes `build/cas/**/*_pb2*.py` and their type stubs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile every .proto below `cas/`.

        :raises RuntimeError: when the compiler refuses a file; its own message is on standard error.
        """
        root = Path(self.root)
        out = root / "build"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        sources = sorted(str(path.relative_to(root)) for path in root.glob("cas/**/*.proto"))
        # protoc finds the mypy-protobuf plugins by name on PATH: they stand beside this interpreter.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        arguments = [
            "protoc",
            f"-I{root}",
            f"-I{files('grpc_tools') / '_proto'}",
            *(f"--{plugin}_out={out}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")),
            *sources,
        ]
        if protoc.main(arguments) != 0:
            raise RuntimeError("protoc refused the .proto files")
        for package in sorted({path.parent for path in out.glob("cas/**/*_pb2.py")}):
            (package / "py.typed").touch()
        build_data["force_include"][str(out / "cas")] = "cas"
