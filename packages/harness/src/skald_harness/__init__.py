"""Evaluation of exported models with lm-eval: tasks, controls, and a record per item.

Knows how a model's answers become records; refuses to know how a model was trained or how records
become a page.
"""

import os

# One progress bar per task and step would bury ours; tqdm reads this when it is first imported, which
# any library below may do.
os.environ.setdefault("TQDM_DISABLE", "1")
