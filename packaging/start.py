"""What a frozen build starts with; see bgdesk.spec."""

import sys

from bgdesk.__main__ import main

if __name__ == "__main__":
    if sys.argv[1:3] == ["-m", "bgdesk"]:  # how the program starts itself anew; here sys.executable is no Python
        del sys.argv[1:3]
    sys.exit(main())
