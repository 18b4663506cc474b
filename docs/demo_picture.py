"""Draw docs/demo.svg: what `wakeword demo` really prints, as a terminal window.

python docs/demo_picture.py
"""

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent


def main() -> None:
    command = [sys.executable, "-m", "wakeword.cli", "demo", "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    console = Console(record=True, width=96, file=io.StringIO())
    console.print(Text("$ make demo", "bold"))
    for line in done.stdout.splitlines():
        style = "green" if "✓" in line else "red" if "✗" in line or "missed:" in line else ""
        console.print(Text(line, style or ("dim" if "gate" in line and "level" in line else "")))
    # Without the fonts that rich would fetch from the net; the system's own monospace will do.
    drawing = re.sub(
        r"@font-face \{.*?\}", "", console.export_svg(title="wakeword demo"), flags=re.S
    )
    (HERE / "demo.svg").write_text(drawing)


if __name__ == "__main__":
    main()
