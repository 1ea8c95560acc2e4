"""Make the installer for Windows and its SBOM from dist/windows-x86_64: `python make_msi.py [VERSION]`.

If SIGN_PFX names a file with a certificate and its key, this signs the programs, the unsigned libraries and the
installer. SIGN_PASSWORD_FILE is a file with its password, SIGN_URL a time stamp service.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import examples
import layout
import msi_tables
import release
import wix_files
from hfstack import __version__

HERE = Path(__file__).resolve().parent
FROZEN = release.DIST / "windows-x86_64" / "hfstack"
UNDER_WINE = (sys.executable, "build/windows/wine.py", ".cache/windows/python/python.exe")
PYTHON = (sys.executable,) if sys.platform == "win32" else UNDER_WINE
"""The Python that froze the programs."""


def fill(tree: Path, seconds: int) -> None:
    """Make the folder to install, and the SBOM."""
    found = layout.parts(PYTHON, FROZEN.relative_to(release.ROOT), release.WINDOWS_SBOM, seconds)
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(FROZEN, tree / "bin")
    shutil.copytree(FROZEN.with_name("scripts"), tree / "scripts")
    examples.write(release.ROOT / "docs" / "hostfactory-setup.md", tree / "share" / "examples")
    (tree / "share" / "doc").mkdir()
    release.documents(tree / "share" / "doc")
    layout.licences(tree / "share" / "doc" / "licences", found)
    release.freshen(tree, seconds)


def content(tree: Path) -> str:
    """Return a digest of all installed files."""
    found = sorted(path for path in tree.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(tree)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in found]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def build(tree: Path, package: Path, version: str, seconds: int) -> None:
    """Make an installer from a folder. With wixl, the same folder gives the same bytes."""
    code = wix_files.guid(f"package {version} {content(tree)}")
    files = release.WORK / "files.wxs"
    files.write_text(wix_files.fragment(tree), encoding="utf-8")
    values = {"Version": version, "ProductCode": wix_files.guid(f"product {version}"), "PackageCode": code}
    sources = (HERE / "msi" / "hfstack.wxs", files)
    package.unlink(missing_ok=True)
    if sys.platform == "win32":
        with_wix(tree, package, values, sources)
    else:
        with_wixl(tree, package, values, sources)
        msi_tables.finish(package, tree)
        msi_tables.settle(package, code, seconds)


def with_wixl(tree: Path, package: Path, values: Mapping[str, str], sources: Sequence[Path]) -> None:
    """Make an installer on Linux, without what wixl cannot express."""
    defines = [word for name, value in {**values, "wixl": "1"}.items() for word in ("-D", f"{name}={value}")]
    # wixl looks for the files below the working directory
    subprocess.run(["wixl", "-a", "x64", *defines, "-o", package, *sources], cwd=tree, check=True)


def with_wix(tree: Path, package: Path, values: Mapping[str, str], sources: Sequence[Path]) -> None:
    """Make an installer on Windows with WiX 3; its own installer sets WIX."""
    programs = Path(os.environ["WIX"]) / "bin"
    defines = [f"-d{name}={value}" for name, value in values.items()]
    objects = [release.WORK / f"{source.stem}.wixobj" for source in sources]
    for source, made in zip(sources, objects, strict=True):
        subprocess.run([programs / "candle.exe", "-nologo", "-arch", "x64", *defines, "-out", made, source], check=True)
    subprocess.run([programs / "light.exe", "-nologo", "-spdb", "-b", tree, "-out", package, *objects], check=True)


def sign(paths: Sequence[Path]) -> None:
    """Sign files in place if SIGN_PFX is set. Files that have a signature keep it."""
    certificate = os.environ.get("SIGN_PFX", "")
    if not certificate:
        return
    options = ["-pkcs12", certificate, "-h", "sha256", "-n", "hfstack"]
    if os.environ.get("SIGN_PASSWORD_FILE"):
        options += ["-readpass", os.environ["SIGN_PASSWORD_FILE"]]
    if os.environ.get("SIGN_URL"):
        options += ["-ts", os.environ["SIGN_URL"]]
    for path in paths:
        verified = subprocess.run(["osslsigncode", "verify", "-ignore-crl", path], capture_output=True, check=False)
        if b"no signature" not in (verified.stdout + verified.stderr).lower():
            continue
        signed = release.WORK / "signed"
        signed.unlink(missing_ok=True)
        subprocess.run(["osslsigncode", "sign", *options, "-in", path, "-out", signed], check=True)
        signed.chmod(path.stat().st_mode)
        signed.replace(path)


def main() -> None:
    """Make both in dist/."""
    version = (sys.argv[1:] or [__version__])[0]
    release.WORK.mkdir(parents=True, exist_ok=True)
    tree = release.WORK / "windows"
    fill(tree, release.time())
    sign(msi_tables.binaries(tree))
    release.freshen(tree, release.time())
    made = release.WORK / "hfstack.msi"
    build(tree, made, version, release.time())
    sign([made])
    package = release.INSTALLER.with_name(release.INSTALLER.name.replace(__version__, version))
    made.replace(package)
    print(f"{package.relative_to(release.ROOT)}: {package.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
