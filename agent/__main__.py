import sys

# A delivery has it not, and refuses the option.
if "--check" in sys.argv:
    from ticketring.check import main
else:
    from ticketring.__main__ import main

sys.exit(main())
