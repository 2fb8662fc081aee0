#!/usr/bin/env python3
"""{{name}}: the daemon starts this file. What it does stands in operations.py, how it speaks in wire.py."""
from operations import OPERATIONS
from wire import serve

serve(OPERATIONS)
