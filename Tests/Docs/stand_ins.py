"""Programs that pages name and that do not run as they are in a test: what is checked in their place.

A stand-in is found in PATH before the program of its name. Its exit code is its verdict: 0 for a command that would do
what the page says, as far as that can be known here.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import yaml

PROJECT = pathlib.Path(os.environ.get("MARTLET_PROJECT", pathlib.Path(__file__).resolve().parents[2]))
# Where each command of martlet listens, or whom it asks, unless it is told.
DEFAULT_ADDRESSES = {
    "serve": {"--admin": "127.0.0.1:{9090}"},
    "epp": {
        "--grpc-port": "{9002}", "--grpc-health-port": "{9003}", "--metrics-port": "{9090}",
        "--bind-address": "127.0.0.1",
    },
    "bbr": {
        "--grpc-port": "{9004}", "--grpc-health-port": "{9005}", "--metrics-port": "{9090}",
        "--bind-address": "127.0.0.1",
    },
    "sim": {"--listen": "127.0.0.1:{8000}"},
    "explain": {"--admin": "http://127.0.0.1:{9090}"},
    "top": {"--admin": "http://127.0.0.1:{9090}"},
}


def refuse(message):
    print(f"stand-in: {message}", file=sys.stderr)
    sys.exit(1)


def ports():
    return dict(pair.split("=") for pair in os.environ["MARTLET_PORTS"].split())


def value_of(arguments, flag):
    """The value of a flag, or None."""
    for index, argument in enumerate(arguments):
        if argument == flag:
            return arguments[index + 1] if index + 1 < len(arguments) else None
        if argument.startswith(flag + "="):
            return argument.partition("=")[2]
    return None


def martlet(arguments):
    """The program under test, with free ports where the default ones are meant."""
    command = arguments[0] if arguments else ""
    added = dict(DEFAULT_ADDRESSES.get(command, {})) if not {"--help", "-h"} & set(arguments) else {}
    if command == "serve" and not has_gateway(value_of(arguments, "--config")):
        added["--listen"] = "127.0.0.1:{8080}"
    if command == "explain" and "--state" in arguments:
        added = {}
    if command == "bench":
        # What a page measures in half a minute, its default, is asked for a second here: that it runs, not how fast.
        given = [index + 1 for index, argument in enumerate(arguments) if argument == "--duration"]
        arguments = ["1s" if index in given else argument for index, argument in enumerate(arguments)]
        added = {"--duration": "1s"}
    for flag, address in added.items():
        if value_of(arguments, flag) is None:
            arguments = [*arguments, flag, re.sub(r"\{(\d+)\}", lambda match: ports()[match.group(1)], address)]
    os.execv(os.environ["MARTLET_UNDER_TEST"], ["martlet", *arguments])


def curl(arguments):
    """curl itself, which fails where a request is refused: a page that shows one asks for its status."""
    # The folder of the stand-ins is the first one.
    program = shutil.which("curl", path=os.environ["PATH"].partition(":")[2])
    if program is None:
        refuse("there is no curl: scripts/find-tool curl curl")
    asks = any(argument in ("--write-out", "-w") for argument in arguments)
    os.execv(program, ["curl", *([] if asks else ["--fail-with-body"]), *arguments])


def has_gateway(path):
    """Whether a configuration brings listeners of its own."""
    if path is None:
        return False
    path = pathlib.Path(path)
    files = [path] if path.is_file() else path.glob("*.yaml")
    return any(re.search(r"^kind: Gateway$", file.read_text(), re.MULTILINE) for file in files)


def make(arguments):
    """The target is in the Makefile; `make run` does what its recipe says, with the program under test."""
    makefile = (PROJECT / "Makefile").read_text()
    for target in [argument for argument in arguments if "=" not in argument]:
        if not re.search(rf"^{re.escape(target)}:.*## ", makefile, re.MULTILINE):
            refuse(f"the Makefile has no target {target} that `make help` lists")
    if arguments == ["run"]:
        (line,) = re.findall(r"^run:.*\n\t\.build/release/martlet (.*)$", makefile, re.MULTILINE)
        martlet(line.split())


def swift(arguments):
    """The package is there and has the product; scripts/check-example runs these commands."""
    manifest = pathlib.Path("Package.swift")
    if not manifest.exists():
        refuse(f"{pathlib.Path.cwd()} has no Package.swift")
    verb, *rest = [argument for argument in arguments if not argument.startswith("-")]
    if verb not in ("build", "test", "run", "package", "format"):
        refuse(f"swift has no command {verb}")
    if verb == "run":
        product, *command = rest
        if f'name: "{product}"' not in manifest.read_text():
            refuse(f"{manifest.resolve()} has no product {product}")
        listed = subprocess.run([os.environ["MARTLET_UNDER_TEST"], "--help"], capture_output=True, text=True).stdout
        if not re.search(rf"^  {re.escape(command[0])} ", listed, re.MULTILINE):
            refuse(f"martlet has no command {command[0]}")
        if f'"$gateway" {command[0]}' not in (PROJECT / "scripts/check-example").read_text():
            refuse(f"scripts/check-example does not run {command[0]}")


def kubectl(arguments):
    """`apply`: the objects are valid by the schemas of Kubernetes and the definitions; the rest runs as it is."""
    if arguments[:1] != ["apply"]:
        program = pathlib.Path(sys.executable).with_name("kubectl")
        os.execv(program, ["kubectl", *arguments])
    from_file = value_of(arguments, "--filename") or value_of(arguments, "-f")
    folder = value_of(arguments, "--kustomize") or value_of(arguments, "-k")
    text = sys.stdin.read() if from_file == "-" else None
    objects(text, from_file, folder)


def objects(text, file, folder):
    """Reads what would be applied, and prints what kubectl would."""
    if folder:
        program = pathlib.Path(sys.executable).with_name("kubectl")
        texts = [subprocess.run([program, "kustomize", folder], stdout=subprocess.PIPE, text=True, check=True).stdout]
    elif text is not None:
        texts = [text]
    else:
        path = pathlib.Path(file)
        if not path.exists():
            refuse(f"{file} is not there")
        texts = [entry.read_text() for entry in ([path] if path.is_file() else sorted(path.glob("*.yaml")))]
    create(texts)


def create(texts):
    """Says what is created, and leaves the objects to the session: what knows the schemas is slow to start."""
    found = [document for text in texts for document in yaml.safe_load_all(text) if document is not None]
    if not found:
        refuse("nothing to apply")
    with open(os.environ["MARTLET_APPLIED"], "a") as file:
        for document in found:
            file.write(json.dumps([" ".join(sys.argv[1:]), document], default=str) + "\n")
            print(f"{document['kind'].lower()}/{document['metadata']['name']} created")


def helm(arguments):
    """`install` and `template`: Helm's library renders the chart with these values, and the objects are valid."""
    import helm_python

    if arguments[0] not in ("install", "upgrade", "template"):
        refuse(f"helm {arguments[0]} has no stand-in")
    name, chart = [argument for argument in positional(arguments[1:])]
    values = {}
    for index, argument in enumerate(arguments):
        if argument == "--set":
            key, _, value = arguments[index + 1].partition("=")
            place = values
            *path, last = key.split(".")
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
    files = helm_python.Chart.load(pathlib.Path(chart).resolve()).render(values, name=name, namespace="default")
    create([text for path, text in files.items() if path.endswith(".yaml")])


def positional(arguments):
    """Arguments that are no flags and no flags' values."""
    skip = False
    for argument in arguments:
        if skip or argument.startswith("-"):
            skip = not skip and "=" not in argument
        else:
            yield argument


def docker(arguments):
    """`build`: the Dockerfile is there, and so is all that it copies; Tests/Deploy makes the root of its image."""
    if arguments[0] != "build":
        refuse(f"docker {arguments[0]} has no stand-in")
    folder = pathlib.Path(arguments[-1])
    for line in (folder / "Dockerfile").read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--"):
            for source in words[1:-1]:
                if not (folder / source).exists():
                    refuse(f"the Dockerfile copies {source}, which is not there")


def python3(arguments):
    """`-m venv` makes a folder whose `pip` checks versions and whose programs are those of the tests."""
    if arguments[:2] != ["-m", "venv"]:
        os.execv(sys.executable, ["python3", *arguments])
    programs = pathlib.Path(arguments[2]) / "bin"
    programs.mkdir(parents=True)
    for name in ("pip", "envoy"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {pathlib.Path(__file__).resolve()} {name} "$@"\n')
        program.chmod(0o755)


def pip(arguments):
    """`install`: a version that the tests' own environment has as well."""
    verb, *packages = arguments
    pinned = (PROJECT / "Tests/EndToEnd/requirements.txt").read_text().splitlines()
    for package in packages:
        if verb != "install" or package not in pinned:
            refuse(f"pip {verb} {package}: Tests/EndToEnd/requirements.txt does not have it")


def envoy(arguments):
    """Envoy itself, beside other Envoys of this machine."""
    program = pathlib.Path(sys.executable).with_name("envoy")
    os.execv(program, ["envoy", "--use-dynamic-base-id", *arguments])


STAND_INS = {
    stand_in.__name__: stand_in for stand_in in (martlet, curl, make, swift, kubectl, helm, docker, python3, pip, envoy)
}


if __name__ == "__main__":
    STAND_INS[sys.argv[1]](sys.argv[2:])
