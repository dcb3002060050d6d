"""
Take a kOps release in, from its source tree.

Write the file hashes that the release has on board, and report everything in the tree that the
nearest catalogue does not explain, and everything that the catalogue says and the tree does not.
docs/adding-a-release.md tells what to do about it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from import_release import hashes
from import_release.compare import differences
from import_release.evidence import FILE, read_evidence, release_of, scan
from kops_assets_provider.exceptions import InvalidCatalogError, KopsAssetsError
from kops_assets_provider.kops.catalog import catalogue_text, known_releases, load_release
from kops_assets_provider.kops.catalog.hashes import TABLES
from kops_assets_provider.kops.catalog.layers import read_whole
from kops_assets_provider.kops.semver import Version, parse_version


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if the tree and the catalogue agree, 1 if not, 2 if it failed."""
    options = _options(argv)
    try:
        if options.show:
            return show(options.show)
        return import_release(options.tree, tables=None if options.report_only else TABLES)
    except (KopsAssetsError, OSError, hashes.TwoHashesError) as err:
        sys.stderr.write(f"error: {err}\n")
        return 2


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/import-release", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("tree", nargs="?", type=Path, help="a source tree of kOps")
    what.add_argument("--show", metavar="RELEASE", help="print a catalogue with nothing left out")
    parser.add_argument("--report-only", action="store_true", help="write no hashes")
    return parser.parse_args(argv)


def import_release(tree: Path, tables: Path | None) -> int:
    """
    Take the release of a tree in; return 1 if there is anything to do by hand.

    :param tables: the file to write the hashes to; None to leave them
    """
    release = release_of(tree)
    if tables is not None:
        known = hashes.read_tables(tables.read_text())
        known[release] = hashes.of_tree(tree)
        tables.write_text(hashes.write_tables(known))
        sys.stdout.write(f"kOps {release}: {len(known[release])} hashes in {tables.name}\n")
    nearest = nearest_release(release)
    found = report(tree, nearest)
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"kOps {release} against {nearest}.yaml: {len(found)} differences\n")
    return 1 if found else 0


def nearest_release(release: str) -> str:
    """Return the known release that is this one, or else the last before it, or the first."""
    wanted = parse_version(release) or Version(major=0)
    before = [known for known in known_releases() if (parse_version(known) or wanted) <= wanted]
    return before[-1] if before else known_releases()[0]


def report(tree: Path, release: str) -> list[str]:
    """Return what is wrong with a release's catalogue, or how it and a tree differ."""
    try:
        load_release(release)
    except InvalidCatalogError as err:
        return str(err).split("; ")
    evidence = read_evidence(FILE.read_text())
    whole = read_whole(release, catalogue_text)
    found = differences(scan(tree, evidence.functions), whole, evidence)
    return list(dict.fromkeys(found))


def show(release: str) -> int:
    """Print a release's catalogue as if it stated everything itself."""
    load_release(release)
    whole = read_whole(release, catalogue_text)
    yaml.safe_dump(whole.to_dict(), sys.stdout, sort_keys=False, width=1000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
