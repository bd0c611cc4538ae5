"""A whole run as a process of its own, to be killed: `python -m tests.faults.worker FOLDER`."""

import asyncio
import os
import sys
from pathlib import Path

from syndicate.app import open_app
from syndicate.settings import load
from syndicate.work import run_once


async def main(folder: Path) -> None:
    """What `syndicate once` does, without its output."""
    app = open_app(load(None, cwd=folder, environ=os.environ))
    try:
        await run_once(app)
    finally:
        await app.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
