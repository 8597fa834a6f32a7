"""The reference system's name for `python -m rnn_native.recognizer`.

python scripts/digit_recognizer.py [serial|cpu|gpu|cuda|MODEL]
"""

import sys

from rnn_native.recognizer.__main__ import main

sys.exit(main())
