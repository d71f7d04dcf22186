import sys

from ticketring.__main__ import main

sys.exit(main())
