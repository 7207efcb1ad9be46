"""Where the app's files lie: app.py, pages/, .streamlit/ and deploy/."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = PACKAGE / "app"  # where the wheel has them; in the project's folder they lie beside the package
FOLDER = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent
