"""What a frozen build starts with; see bgdesk.spec."""

import os
import sys

from bgdesk.__main__ import main
from bgdesk.app.system import paths

if __name__ == "__main__":
    # For a kernel that is not carried: numba's own place would depend on the folder that the program is started in.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(paths.cache_folder() / "kernels"))
    if sys.argv[1:3] == ["-m", "bgdesk"]:  # how the program starts itself anew; here sys.executable is no Python
        del sys.argv[1:3]
    sys.exit(main())
