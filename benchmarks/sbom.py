"""Write a software bill of materials (CycloneDX 1.6): which packages an installation brings, under which licences.

cyclonedx-bom reads the metadata of all packages of this environment. What only developers need is left out: the list
has what `pip install .` brings, as far as it is installed here. Prints a table of licences.

    python -m benchmarks.sbom [--output build/sbom.json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from asccl.errors import PublishError
from asccl.files import write_atomic

ROOT = Path(__file__).parent.parent
UNKNOWN = "unknown"
CLASSIFIER = "License :: OSI Approved :: "  # begins the older form of a licence in the metadata of a package


def direct_requirements() -> list[Requirement]:
    """Return what requirements.txt names."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def required_packages() -> set[str]:
    """Return the canonical names of all installed packages that requirements.txt brings."""
    names: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [
        (canonicalize_name(requirement.name), frozenset(requirement.extras)) for requirement in direct_requirements()
    ]
    visited = set(waiting)
    while waiting:
        package, extras = waiting.pop()
        try:
            texts = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue
        names.add(package)
        for requirement in map(Requirement, texts):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                entry = (canonicalize_name(requirement.name), frozenset(requirement.extras))
                waiting += [] if entry in visited else [entry]
                visited.add(entry)
    return names


def build_sbom() -> dict[str, Any]:
    """Build the list. Raises PublishError where cyclonedx-bom fails, or the list does not fit its schema."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
    command += ["--mc-type", "application", "--output-reproducible", "--output-format", "JSON", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next(reversed(done.stderr.strip().splitlines()), "no reason")
        raise PublishError(f"cyclonedx-bom failed ({reason})", "install it: `pip install -e '.[dev]'`")
    sbom = select_packages(json.loads(done.stdout), required_packages())
    check_sbom(json.dumps(sbom))
    return sbom


def select_packages(sbom: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Keep some packages.

    Args:
        sbom: in CycloneDX's JSON.
        names: canonical names of the packages. This project is the subject of the list, not in it.

    Returns:
        The list with these packages, and what they need of each other.
    """
    kept = [component for component in sbom["components"] if canonicalize_name(component["name"]) in names]
    subject = sbom["metadata"]["component"]["bom-ref"]
    references = {component["bom-ref"] for component in kept}
    needs = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in sbom.get("dependencies", ())}
    direct = {canonicalize_name(requirement.name) for requirement in direct_requirements()}
    needs[subject] = {c["bom-ref"] for c in kept if canonicalize_name(c["name"]) in direct}
    dependencies = [
        {"ref": reference, "dependsOn": sorted(needs.get(reference, set()) & references)}
        for reference in sorted({subject, *references})
    ]
    return {**sbom, "components": kept, "dependencies": dependencies}


def check_sbom(text: str) -> None:
    """Raise PublishError unless a text fits the schema of CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise PublishError(f"the list does not fit CycloneDX 1.6 ({problem})", "report it to cyclonedx-bom")


def licence_of(component: dict[str, Any]) -> str:
    """Return the licences that a package states, joined; "unknown" where it states none."""
    names = []
    for entry in component.get("licenses", ()):
        licence = entry.get("license", {})
        names.append(entry.get("expression") or licence.get("id") or licence.get("name", ""))
    short = dict.fromkeys(" ".join(name.removeprefix(CLASSIFIER).split())[:60] for name in names if name)
    return ", ".join(short) or UNKNOWN


def main() -> int:
    """Write the list and print its licences. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "sbom.json", metavar="FILE")
    parser.add_argument("--json", type=Path, help="append the counts to this file as well")
    arguments = parser.parse_args()
    components = (sbom := build_sbom())["components"]
    write_atomic(arguments.output, (json.dumps(sbom, indent=1) + "\n").encode())
    names: dict[str, list[str]] = {}
    for component in components:
        names.setdefault(licence_of(component), []).append(component["name"])
    counts = Counter({licence: len(packages) for licence, packages in names.items()})
    for licence, count in counts.most_common():
        print(f"  {count:4} {licence}: {', '.join(sorted(names[licence]))}")
    line = json.dumps({"benchmark": "sbom", "packages": len(components), "licences": dict(counts)})
    print(line)
    if arguments.json is not None:
        with arguments.json.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
