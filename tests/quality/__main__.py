"""Print the clustering tables: `python -m tests.quality`; see `--help`."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # CPU time is compared, not the number of cores
    from tests.quality.run import main  # numpy reads the variable at import

    sys.exit(main())
