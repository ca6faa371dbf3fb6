"""Makes the pictures of reports in ``docs/images``: a real report in Chromium.

``report.png`` is all of it, ``report-energy.png`` the headline and the section on energy,
``demo.png`` the headline, accuracy, and the activity of one sample.
``python tools/screenshot.py [--samples 256]``; needs Chromium, MNIST and the plot extra (Pillow).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

CHECKPOINT, CALIBRATION = "spikingssm-smnist", "mnist:train:64"
HERE = Path(__file__).parents[1] / "docs" / "images"
WIDTH, TALLEST = 1200, 12000
LARGEST_BYTES = 600_000
DEMO_WIDTH = 1000
# the headline, and of the section on energy heading, words and bars
ENERGY = "main>*:not(header):not(#energy),header>.figures,#energy>*:nth-child(n+4){display:none}"
# headline, key figures without multiplications, and the raster of one sample, whose section
# `activity` marks
DEMO = (
    "main>*:not(header):not(.activity),.activity>*:nth-child(n+3),.files{display:none}"
    ".figures>div:nth-last-child(2){display:none}.activity figure{margin:0}main{padding:20px}"
)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=256)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = make_report(folder, samples)
        photograph(report, HERE / "report.png")
        page = report.read_text(encoding="utf-8")
        mark = r'<section class="activity">\1'
        page = re.sub(r'<section class="big">(\s*<h2>Activity</h2>)', mark, page, count=1)
        for name, rules, width in (("report-energy.png", ENERGY, WIDTH),
                                   ("demo.png", DEMO, DEMO_WIDTH)):  # fmt: skip
            part = page.replace("</style>", f"{rules}</style>", 1)
            report.write_text(part, encoding="utf-8")
            photograph(report, HERE / name, width)


def make_report(folder: Path, samples: int) -> Path:
    """Return the report of a checkpoint, made by the commands that a user has."""
    floating, integer = folder / "spikingssm-smnist.nssm", folder / "spikingssm-smnist.int.nssm"
    report = folder / "report.html"
    for arguments in (
        ("export", CHECKPOINT, "-o", floating),
        ("quantize", floating, "--calibrate", CALIBRATION, "-o", integer),
        ("profile", integer, "--float", floating, "--data", f"mnist:test:{samples}",
         "--ssm-mapping", "state", "--html", report),
    ):  # fmt: skip
        command = [sys.executable, "-m", "neurossm", *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return report


def photograph(page: Path, picture: Path, width: int = WIDTH) -> None:
    """Write a picture of a page as high as the page is, small enough for a repository."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        sys.exit("no Chromium here (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        shot = Path(profile) / "shot.png"
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--host-resolver-rules=MAP * 127.0.0.1:1", f"--user-data-dir={profile}",
             f"--window-size={width},{TALLEST}", f"--screenshot={shot}", page.as_uri()],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        image = Image.open(shot).convert("RGB")
    background = Image.new("RGB", image.size, image.getpixel((0, TALLEST - 1)))
    bottom = _last_difference(image, background)
    cut = image.crop((0, 0, width, min(TALLEST, bottom + 20)))
    cut.quantize(128).save(picture, optimize=True)
    size = picture.stat().st_size
    if size > LARGEST_BYTES:
        sys.exit(f"{picture}: {size} bytes, more than {LARGEST_BYTES}")
    print(f"{picture.name}: {cut.size[0]} x {cut.size[1]}, {size} bytes")


def _last_difference(image: Image.Image, background: Image.Image) -> int:
    from PIL import ImageChops

    box = ImageChops.difference(image, background).getbbox()
    return box[3] if box else TALLEST


if __name__ == "__main__":
    main()
