"""Code of test programs that waits until a signal comes which Python has to handle.

CPython notes a signal and handles it between two of its instructions. One that comes after it has
looked for the last time, and before pause(2), nanosleep(2) or read(2) sleeps, is handled when that
call returns: never. Who answers a program's ``ready`` at once hits this once in a hundred times.
So the programs look again and again. Both constants are statements on one line, without quotes.
"""

#: Waits for ever.
PAUSE = "import time; [time.sleep(0.05) for _ in iter(int, 1)]"

#: Waits until standard input can be read; reads nothing.
UNTIL_TYPED = "import select; [0 for _ in iter(lambda: select.select([0], [], [], 0.05)[0], [0])]"
