"""Find a Chromium for the browser tests and print its path; with --install, get one where there is none.

In order: $PATRIOT_CHROMIUM, one on the PATH, the one Playwright has downloaded. Installing: apt-get where we are root
and it is there, else Playwright's own download. Ends with 1 and one sentence when there is none: the browser tests are
never skipped silently.
"""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """Path of a Chromium that is here, or None."""
    for candidate in (os.environ.get("PATRIOT_CHROMIUM"), *NAMES):
        if candidate and (path := shutil.which(candidate)) and runs(path):
            return path
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    return downloaded if runs(downloaded) else None


def runs(path: str) -> bool:
    """Whether it starts: Ubuntu's package is only a pointer to a snap, and a download may lack system libraries."""
    try:
        return subprocess.run([path, "--version"], check=False, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def install() -> None:
    """Get one; the caller looks whether it worked."""
    apt = shutil.which("apt-get")
    if os.geteuid() == 0 and apt:
        print("Installing Chromium with apt-get …", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run([apt, "update", "-qq"], check=False, **quiet)
        subprocess.run([apt, "install", "-qq", "-y", "--no-install-recommends", "chromium"], check=False, **quiet)
    if find() is None:
        print("Downloading Chromium with Playwright …", flush=True)
        libraries = ["--with-deps"] if os.geteuid() == 0 and apt else []
        subprocess.run([sys.executable, "-m", "playwright", "install", *libraries, "chromium"], check=False)


def main() -> None:
    """Print the path, or install."""
    if "--install" in sys.argv and find() is None:
        install()
    path = find()
    if path is None:
        sys.exit("The browser tests need a Chromium: install one, or set PATRIOT_CHROMIUM to its path.")
    if "--install" not in sys.argv:
        print(path)


if __name__ == "__main__":
    main()
