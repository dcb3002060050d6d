"""``python -m kops_assets_provider.cli``."""

import sys

from kops_assets_provider.cli import main

sys.exit(main())
